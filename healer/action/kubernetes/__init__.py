"""What healer can do to Kubernetes objects. One file an action; none acts on an empty selector."""
