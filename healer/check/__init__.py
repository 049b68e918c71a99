"""What healer can find out. A check looks once, with a deadline, and changes nothing."""
