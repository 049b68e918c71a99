"""The lab's API server: what `kubectl` and any client library take for a Kubernetes API server.

Here live the objects, their rules and the REST edge. What makes pods run is the node's room; what
brings the objects from what is to what is wanted is the controllers' room.
"""
