"""Measurements of the inference server: its speed beside `transformers serve`, and its endurance.

Servers are processes of their own, met over HTTP only; nothing of the product is imported.
"""
