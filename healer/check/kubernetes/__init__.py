"""What healer can find out from Kubernetes. One file a question; none asks about everything."""
