"""The composition root: the only room that names concrete adapters.

To add an action, a check or a guard, add its line in vocabulary.py; a channel, in daemon.py.
"""
