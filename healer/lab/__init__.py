"""A cluster on one machine: real inference processes behind a Kubernetes-compatible API.

Nobody imports this room but the command line, and it imports no room of the daemon: the two meet
over HTTP, as they would in a real cluster. Faults made here are real effects, never flags.
"""
