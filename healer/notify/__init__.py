"""Telling people. A notice is derived from timeline entries; a channel only delivers it."""
