"""Checks on the volume of a service: how full it is, by what, and what of it may go."""
