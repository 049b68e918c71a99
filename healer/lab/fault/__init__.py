"""Faults of the lab: real effects, made from outside like those of a real cluster. No flags."""
