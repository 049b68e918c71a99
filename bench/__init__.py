"""Measurements: how fast alerts are recorded, beside the plainest server that could do it.

No test, and nothing of the product: the daemon is met over HTTP only, as Alertmanager meets it.
"""
