"""The lab's own Prometheus and Alertmanager: the real programs, with the shipped rules compressed.

No rules live here (those are in alertmanager/), and nothing that reads what they find.
"""
