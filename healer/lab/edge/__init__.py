"""What stands before a service: a front that speaks TLS, and a prober that looks as clients do.

Both are programs of pods, so they are restarted, starved and scaled away like any other.
"""
