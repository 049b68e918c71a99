"""Frozen values and pure functions: what an alert, a playbook, an event, an incident is. No I/O."""
