"""The HTTP edge: webhook, API, health, metrics. It decides nothing about incidents."""
