"""Playbook files: their schema, their loading, their conditions and templates. It runs nothing."""
