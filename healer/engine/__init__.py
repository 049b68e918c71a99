"""The walk of an alert, from the webhook to the verified fix. Read remediation.py first."""
