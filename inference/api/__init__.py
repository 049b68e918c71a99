"""HTTP edges of the inference server: OpenAI endpoints, health, metrics, admin.

Nothing here decides; it parses, asks the parts below and words the answer.
"""
