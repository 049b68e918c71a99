"""A workspace of Slack on loopback: its wire formats, its limits, its errors. No daemon code."""
