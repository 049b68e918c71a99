"""Checks on certificates: what a server really shows, who keeps it, and what could replace it."""
