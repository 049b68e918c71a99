"""Playbooks put to the test: the real engine, in virtual time, upon a world that a case describes.

Nothing outside is reached, and no adapter is named: `app` hands in what is played with."""
