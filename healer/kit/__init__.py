"""Clock, tasks, retry: tools that know nothing of alerts. No domain word is used here."""
