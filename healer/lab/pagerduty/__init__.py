"""An account of PagerDuty on loopback: Events v2 and as much REST as notes need. No daemon code."""
