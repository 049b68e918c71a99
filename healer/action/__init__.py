"""What healer can do to the world. One file a target system; each action knows how to be undone."""
