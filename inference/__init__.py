"""The inference server that runs beside the daemon: engine, admission, SSD cache, breaker, health.

What lives here speaks HTTP to the outside and nothing else; the daemon is never imported.
"""
