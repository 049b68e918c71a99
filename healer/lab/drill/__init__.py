"""Drills: break a service for real, watch healer, and say how long everything took.

All that is known here was asked over HTTP; no room of the daemon is imported.
"""
