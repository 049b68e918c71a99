"""How old may be what a decision rests on? Pure: from the fold and the time of day."""

from datetime import datetime, timedelta

from healer.model.incident import Incident, Run

FRESH = timedelta(seconds=30)
"""Older findings are not acted upon, nor any from before a hold or a question: look anew."""


def is_stale(incident: Incident, now: datetime) -> bool:
    """Has too much happened, or too little, since healer looked or saw a step of its own end?"""
    run = incident.run
    if run.looked_at is None:
        return False
    return run.waited or now - _last_seen(run, run.looked_at) > FRESH


def is_gone(run: Run) -> bool:
    """Did the last look before a step find no fault any more?"""
    return run.before is not None and run.before.healed


def _last_seen(run: Run, looked_at: datetime) -> datetime:
    return max(looked_at, run.stepped_at) if run.stepped_at else looked_at
