"""What is laid inside the lab's pods, so that a process can have defects. Nobody imports it."""
