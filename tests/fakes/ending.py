"""Is the end of a drill as it ought to be? Asked of the record, of people and of the world."""

from collections import Counter
from collections.abc import Sequence

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
    Moment,
    PlaybookMatched,
    StepFinished,
    Verified,
)
from healer.model.outcome import Result
from healer.notify import words
from healer.notify.slack_text import escape
from healer.timeline.sqlite import SqliteTimeline
from tests.fakes.scene import Scene

_ONCE = (PlaybookMatched, Closed, Archived)
_NOTED = (Chosen, Denied, Escalated, StepFinished, Verified)


async def read(scene: Scene) -> Sequence[Entry]:
    """The lines of the only incident, from the file of a daemon that is no more."""
    timeline = await SqliteTimeline.open(scene.folder / "healer.db")
    try:
        opened = await timeline.latest(limit=10)
        assert len(opened) == 1, "one incident, however often it was delivered"
        return await timeline.read(opened[0].incident)
    finally:
        await timeline.close()


def check_healed(scene: Scene, entries: Sequence[Entry], *, rounds: int = 1) -> None:
    """Healed as without a crash: every effect once, every line told once, no alert lost."""
    events = [entry.event for entry in entries]
    kinds = Counter(type(event) for event in events)
    assert [kinds[kind] for kind in _ONCE] == [1, 1, 1]
    assert [one.ending for one in events if isinstance(one, Closed)] == [Ending.HEALED]
    assert kinds[Escalated] == 0
    after = [one for one in events if isinstance(one, Verified) and one.moment is Moment.AFTER]
    assert [one.healed for one in after] == [False] * (len(after) - 1) + [True]
    assert len(after) <= rounds
    finished = [one for one in events if isinstance(one, StepFinished)]
    done = [one.step for one in finished if one.outcome.result is Result.SUCCEEDED]
    assert tuple(done) == scene.drill.steps
    check_effects(scene)
    check_delivered(scene, events)
    check_slack(scene, entries)
    check_pagerduty(scene, entries)


def check_effects(scene: Scene) -> None:
    """The world was changed as often as without a crash, and it is as it ought to be."""
    assert len(scene.changes) == scene.drill.effects
    assert len(scene.cache.evictions) == scene.drill.steps.count("evict")
    assert scene.drill.healed(scene)


def check_delivered(scene: Scene, events: Sequence[Event]) -> None:
    """Everything that was answered 200 is on record."""
    kept = {
        (str(alert.fingerprint), alert.status.value)
        for event in events
        if isinstance(event, AlertsReceived)
        for alert in event.alerts
    }
    answered = {
        (alert["fingerprint"], alert["status"])
        for payload in scene.postman.answered
        for alert in payload["alerts"]
    }
    assert {status for _, status in answered} == {"firing", "resolved"}
    assert answered <= kept


def check_slack(scene: Scene, entries: Sequence[Entry]) -> None:
    """One message, and in its thread every line once."""
    (thread,) = scene.slack.threads
    told = [
        line
        for message in thread[1:]
        for block in message["blocks"]
        for line in block["text"]["text"].split("\n")
    ]
    lines = [words.line(entry) for entry in entries]
    assert told == [escape(line) for line in lines if line is not None]


def check_pagerduty(scene: Scene, entries: Sequence[Entry]) -> None:
    """One page, calmed and resolved; in its notes every line that matters once."""
    assert len(scene.pagerduty.pages) == 1
    (incident,) = scene.pagerduty.incidents
    log = Counter(what for _, what in incident.log)
    assert (log["triggered"], log["acknowledged"], log["resolved"]) == (1, 1, 1), incident.log
    noted = [
        line
        for note in incident.notes
        for line in note["content"].split("\n")
        if not line.startswith("[healer #")
    ]
    assert noted == [words.line(entry) for entry in entries if isinstance(entry.event, _NOTED)]
