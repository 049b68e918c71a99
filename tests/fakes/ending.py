"""Is the end of a drill as it ought to be? Asked of the record, of people and of the world."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from healer.lab.pagerduty.account import Incident
from healer.model.event import (
    AlertsReceived,
    Archived,
    Chosen,
    Closed,
    Denied,
    Ending,
    Entry,
    Escalated,
    Event,
    IncidentId,
    Moment,
    Opened,
    PlaybookMatched,
    StepFinished,
    StepStarted,
    Verified,
)
from healer.model.outcome import Result
from healer.notify import words
from healer.notify.slack_text import escape
from healer.timeline.sqlite import SqliteTimeline
from tests.fakes.scene import Scene
from tests.fakes.stage import Stage

_ONCE = (PlaybookMatched, Closed, Archived)
_NOTED = (Chosen, Denied, Escalated, StepFinished, Verified)


async def read(folder: Path) -> Sequence[Entry]:
    """The lines of the only incident, from the file of a daemon that is no more."""
    (entries,) = (await read_all(folder / "healer.db")).values()
    return entries


async def read_all(file: Path) -> Mapping[IncidentId, Sequence[Entry]]:
    """The lines of every incident, the newest first, from the file of a daemon that is no more."""
    timeline = await SqliteTimeline.open(file)
    try:
        opened = await timeline.latest(limit=100)
        return {one.incident: await timeline.read(one.incident) for one in opened}
    finally:
        await timeline.close()


def check_healed(scene: Scene, entries: Sequence[Entry], *, rounds: int = 1) -> None:
    """Healed as without a crash: every effect once, every line told once, no alert lost."""
    check_walk(entries, steps=scene.drill.steps, rounds=rounds)
    check_effects(scene)
    check_delivered(scene.postman.answered, entries)
    (thread,) = scene.slack.threads
    check_thread(thread, entries)
    (incident,) = scene.pagerduty.incidents
    assert scene.pagerduty.pages == [incident.key]
    check_page(incident, entries)


def check_walk(entries: Sequence[Entry], *, steps: Sequence[str], rounds: int = 1) -> None:
    """The record tells of one walk that ended healed, by these steps."""
    events = [entry.event for entry in entries]
    kinds = Counter(type(event) for event in events)
    assert [kinds[kind] for kind in _ONCE] == [1, 1, 1]
    assert [one.ending for one in events if isinstance(one, Closed)] == [Ending.HEALED]
    called = [one.event.reason for one in entries if isinstance(one.event, Escalated)]
    assert not called, called
    after = [one for one in events if isinstance(one, Verified) and one.moment is Moment.AFTER]
    assert [one.healed for one in after] == [False] * (len(after) - 1) + [True]
    assert len(after) <= rounds
    finished = [one for one in events if isinstance(one, StepFinished)]
    done = [one.step for one in finished if one.outcome.result is Result.SUCCEEDED]
    assert done == [step for step in steps if step not in left_out(events, steps)]


def left_out(events: Sequence[Event], steps: Sequence[str]) -> Collection[str]:
    """After a long pause between two steps healer looks anew: what is gone needs no more of them.

    Only what was not begun may be left out, and only where the record says that it was looked at.
    """
    begun = {one.step for one in events if isinstance(one, StepStarted)}
    gone = any(
        isinstance(one, Verified) and one.moment is Moment.BEFORE and one.healed for one in events
    )
    return {step for step in steps if step not in begun} if gone else ()


def check_effects(scene: Scene) -> None:
    """The world was changed as often as without a crash, and it is as it ought to be."""
    assert len(scene.changes) == scene.drill.effects
    assert len(scene.cache.evictions) == scene.drill.steps.count("evict")
    assert scene.drill.healed(scene)


def check_delivered(
    answered: Iterable[Mapping[str, Any]],
    entries: Iterable[Entry],
    *,
    least: Collection[str] = ("firing", "resolved"),
) -> None:
    """Everything that was delivered is on record, and there was `least` of it.

    But for the end of what nobody heard begin: an alert that fired and resolved while the daemon
    was dead may come as resolved alone, and that opens and changes nothing.
    """
    kept = {
        (str(alert.fingerprint), alert.status.value)
        for entry in entries
        if isinstance(entry.event, AlertsReceived)
        for alert in entry.event.alerts
    }
    delivered = {
        (str(alert["fingerprint"]), str(alert["status"]))
        for payload in answered
        for alert in payload["alerts"]
    }
    assert {status for _, status in delivered} >= set(least)
    assert {status for _, status in kept} == {"firing", "resolved"}
    heard = {fingerprint for fingerprint, status in delivered if status == "firing"}
    lost = {one for one in delivered - kept if one[0] in heard}
    assert not lost, f"delivered and not on record: {lost}"


def check_thread(thread: Sequence[Mapping[str, Any]], entries: Sequence[Entry]) -> None:
    """One message in Slack, and in its thread every line once."""
    told = [
        line
        for message in thread[1:]
        for block in message["blocks"]
        for line in block["text"]["text"].split("\n")
    ]
    lines = [words.line(entry) for entry in entries]
    assert told == [escape(line) for line in lines if line is not None]


def check_page(incident: Incident, entries: Sequence[Entry]) -> None:
    """One page, calmed and resolved; in its notes every line that matters once."""
    log = Counter(what for _, what in incident.log)
    assert (log["triggered"], log["acknowledged"], log["resolved"]) == (1, 1, 1), incident.log
    noted = [
        line
        for note in incident.notes
        for line in note["content"].split("\n")
        if not line.startswith("[healer #")
    ]
    assert noted == [words.line(entry) for entry in entries if isinstance(entry.event, _NOTED)]


def playbook_of(entries: Sequence[Entry]) -> str:
    """Of an incident, by its first line."""
    first = entries[0].event
    assert isinstance(first, Opened)
    return first.key.playbook


def check_told(lab: Stage, entries: Sequence[Entry]) -> None:
    """Slack and PagerDuty tell this incident once."""
    incident = entries[0].incident
    threads = [one for one in lab.slack.threads if told_of(one[0]) == incident]
    assert len(threads) == 1
    check_thread(threads[0], entries)
    pages = [one for one in lab.pagerduty.incidents if one.key.startswith(incident)]
    assert len(pages) == lab.pages, [page.key for page in pages]
    for page in pages:
        check_page(page, entries)


def told_of(message: Mapping[str, Any]) -> str:
    """The incident that a message is about, as healer marked it."""
    return str(message["metadata"]["event_payload"]["incident"])
