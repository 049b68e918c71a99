"""What healer can ask the inference servers themselves. One file a question; none changes them."""
