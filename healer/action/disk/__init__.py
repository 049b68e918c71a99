"""Actions that make room on a volume, by what may go there and in the order a playbook gives."""
