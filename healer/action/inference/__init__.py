"""What healer can ask of an inference server, through its admin endpoints. One file an action."""
