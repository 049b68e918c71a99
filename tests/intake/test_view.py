"""Everything of the model as JSON: whole, typed, and in words that notify really has."""

from datetime import UTC, datetime, timedelta
from types import UnionType
from typing import get_args

import orjson
import pytest

from healer.intake import view
from healer.intake.contract import Words
from healer.model.event import CONTROL, Entry, Event, Paused
from healer.model.matcher import Matcher, MatchOp
from healer.model.playbook import Playbook, Verify
from healer.model.service import Target
from healer.notify import words
from tests.fakes.desk import FakeDesk
from tests.fakes.edge import PlainWords

AT = datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC)


def test_the_words_of_notify_are_words_of_ours() -> None:
    said: Words = words
    assert "paused" in str(said.say(Paused(by="ada", reason="x"))).lower()


async def test_incidents_are_told_in_the_words_of_notify() -> None:
    desk = FakeDesk()
    known = await desk.incident(await desk.asking())
    assert known is not None
    assert view.summary(known, words)["headline"] == words.headline(known)


def test_an_entry_has_a_time_a_type_and_words() -> None:
    entry = Entry(incident=CONTROL, seq=1, at=AT, event=Paused(by="ada", reason="x"))
    assert view.entry(entry, PlainWords()) == {
        "incident": "control",
        "seq": 1,
        "at": "2026-01-02T03:04:05.000006Z",
        "event": {"type": "Paused", "by": "ada", "reason": "x", "service": ""},
        "words": "it was Paused",
        "detail": "it was Paused, in full",
    }


@pytest.mark.parametrize(
    ("content", "shown"),
    [
        (timedelta(minutes=90), "1h30m"),
        (Target(namespace="a", kind="deployment", name="b"), "a/deployment/b"),
        (Matcher(label="a", op=MatchOp.MATCHES, value="b.*"), 'a=~"b.*"'),
        (frozenset({"b", "a"}), ["a", "b"]),
        ({MatchOp.EQUAL: (1, None)}, {"=": [1, None]}),
        (AT, "2026-01-02T03:04:05.000006Z"),
    ],
)
def test_values_are_written_as_people_know_them(content: object, shown: object) -> None:
    assert view.value(content) == shown


def test_a_playbook_is_json_and_its_fields_have_no_trailing_underscores() -> None:
    minute = timedelta(minutes=1)
    playbook = Playbook(
        name="queue",
        title="Queue",
        path="queue.yaml",
        digest="d",
        match=((Matcher(label="a", op=MatchOp.EQUAL, value="b"),),),
        verify=Verify(until="x", for_=minute, timeout=minute, every=minute, watch=minute),
    )
    shown = view.playbook(playbook)
    assert shown["match"] == [['a="b"']]
    assert shown["verify"] == {
        **dict.fromkeys(("for", "timeout", "every", "watch"), "1m"),
        "until": "x",
    }
    assert orjson.dumps(shown)


async def test_an_incident_is_json_whatever_happened_to_it() -> None:
    desk = FakeDesk()
    incident = await desk.asking()
    await desk.cancel(incident, by="ada", reason="mine")
    known = await desk.incident(incident)
    assert known is not None
    shown = view.incident(known, PlainWords())
    assert shown["ending"] == "cancelled"
    assert orjson.loads(orjson.dumps(shown)) == shown


def test_what_is_not_of_the_model_is_an_error_not_a_guess() -> None:
    with pytest.raises(TypeError, match="no JSON for object"):
        view.value(object())


def test_every_event_is_a_dataclass_that_the_view_can_name() -> None:
    assert isinstance(Event, UnionType)
    assert len({kind.__name__ for kind in get_args(Event)}) == len(get_args(Event))
