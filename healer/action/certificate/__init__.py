"""Actions that give a server another certificate."""
