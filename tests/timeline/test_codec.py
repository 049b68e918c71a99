"""Lines on disk: exact both ways, readable for ever, and clear about what they cannot be."""

from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import MappingProxyType
from typing import cast, get_args

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from healer.errors import TimelineError
from healer.model.alert import Alert, AlertStatus, Fingerprint, GroupKey
from healer.model.event import (
    AlertsReceived,
    Chosen,
    Diagnosed,
    Event,
    NothingMatched,
    Opened,
    StepFinished,
    StepStarted,
)
from healer.model.outcome import Finding, Json, Outcome, Result
from healer.model.playbook import StepId
from healer.timeline.codec import KINDS, Fields, decode, encode
from tests.timeline.example import AT, EVENTS, KEY, alert

SAMPLES = Path(__file__).with_name("samples")


def label(event: Event) -> str:
    return type(event).__name__


def step(params: Mapping[str, Json]) -> StepStarted:
    return StepStarted(step=StepId("s"), action="a", attempt=1, params=params)


def test_every_event_has_a_word_and_an_example() -> None:
    assert set(KINDS.values()) == set(get_args(Event))
    assert {type(event) for event in EVENTS} == set(get_args(Event))


@pytest.mark.parametrize("event", EVENTS, ids=label)
def test_an_event_comes_back_as_it_was(event: Event) -> None:
    assert decode(encode(event)) == event
    assert b"\n" not in encode(event)


def test_lines_written_by_version_1_stay_readable() -> None:
    lines = (SAMPLES / "v1.jsonl").read_bytes().splitlines()
    assert [decode(line) for line in lines] == list(EVENTS)


def test_fields_that_a_line_lacks_take_their_defaults() -> None:
    line = orjson.dumps({"v": 1, "type": "alerts_received", "event": {"alerts": [], "group": "g"}})
    assert decode(line) == AlertsReceived(alerts=(), group=GroupKey("g"))


def test_types_inside_an_event_come_back_too() -> None:
    found = decode(encode(EVENTS[1]))
    assert isinstance(found, AlertsReceived)
    assert isinstance(found.alerts, tuple)
    assert found.alerts[0].status is AlertStatus.FIRING
    assert found.alerts[0].starts_at.tzinfo is not None


def test_an_older_line_goes_through_every_upgrade_in_turn() -> None:
    def renamed(word: str, fields: Fields) -> tuple[str, Fields]:
        return ("nothing_matched" if word == "no_playbook" else word), fields

    def reworded(word: str, fields: Fields) -> tuple[str, Fields]:
        return word, {"reason": fields["why"]}

    def line(version: int, word: str, fields: Fields) -> bytes:
        return orjson.dumps({"v": version, "type": word, "event": fields})

    upgrades = (renamed, reworded)
    said = NothingMatched(reason="x")
    assert decode(line(1, "no_playbook", {"why": "x"}), upgrades=upgrades) == said
    assert decode(line(2, "nothing_matched", {"why": "x"}), upgrades=upgrades) == said
    assert decode(line(3, "nothing_matched", {"reason": "x"}), upgrades=upgrades) == said


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        (b'{"v":2,"type":"approved","event":{"by":"x"}}', "version 2.*newer"),
        (b'{"v":1,"type":"teleported","event":{}}', "'teleported'.*does not know"),
        (b'{"v":0,"type":"approved","event":{"by":"x"}}', "a line is not"),
        (b'{"v":true,"type":"approved","event":{"by":"x"}}', "a line is not"),
        (b'{"type":"approved","event":{"by":"x"}}', "a line is not"),
        (b"[]", "a line is not"),
        (b'{"v":1,"type":"appro', "no JSON that"),
        (b"\xff\xfe", "no JSON that"),
        (b'{"v":1,"type":"approved","event":[]}', "wanted dict, found list"),
        (b'{"v":1,"type":"approved","event":{}}', "'by'"),
        (b'{"v":1,"type":"approved","event":{"by":7}}', "by: wanted str, found int"),
        (b'{"v":1,"type":"approved","event":{"by":"x","at":1}}', "unknown field 'at'"),
        (b'{"v":1,"type":"alarm_rang","event":{"alarm":"gong"}}', "alarm: 'gong'"),
        (
            b'{"v":1,"type":"opened","event":{"severity":"","key":{"target":{"name":1}}}}',
            "key: target: name: wanted str",
        ),
        (
            b'{"v":1,"type":"alerts_received","event":{"group":"","alerts":[{"labels":{"a":1}}]}}',
            "alerts: labels: wanted str",
        ),
        (
            b'{"v":1,"type":"step_started","event":{"params":{"a":{"$int":"NaN"}}}}',
            "params: .*int",
        ),
    ],
)
def test_a_line_that_cannot_be_read_says_why(line: bytes, complaint: str) -> None:
    with pytest.raises(TimelineError, match=complaint):
        decode(line)


@pytest.mark.parametrize("text", ["\0", "a\0b", "\ud800", "\udfff\ud800x", "\u2028\n", "😀", ""])
def test_odd_texts_come_back_exactly(text: str) -> None:
    labelled = Alert(
        fingerprint=Fingerprint(text),
        status=AlertStatus.RESOLVED,
        labels={text or "name": text},
        starts_at=AT,
    )
    for event in (
        NothingMatched(reason=text),
        AlertsReceived(alerts=(labelled,), group=GroupKey(text)),
        step({text: [text, {text: text}]}),
        Opened(key=KEY, severity=text),
    ):
        assert decode(encode(event)) == event


def test_a_megabyte_in_a_label_comes_back() -> None:
    event = AlertsReceived(
        alerts=(
            Alert(
                fingerprint=Fingerprint("f"),
                status=AlertStatus.FIRING,
                labels={"huge": "ü" * 2**20},
                starts_at=AT,
            ),
        ),
        group=GroupKey("g"),
    )
    assert decode(encode(event)) == event


@pytest.mark.parametrize("number", [float("inf"), -float("inf"), 2**64, -(2**63) - 1, 10**40, -0.0])
def test_numbers_that_json_has_no_word_for_come_back(number: float) -> None:
    event = step({"x": number, "deep": [{"y": number}]})
    found = decode(encode(event))
    assert found == event
    assert repr(found) == repr(event)


def test_not_a_number_comes_back_as_such() -> None:
    nan = float("nan")
    evidence: Mapping[str, Json] = {"p95": nan, "deep": [nan]}
    event = Diagnosed(findings=(Finding(check="c", holds=False, summary="", evidence=evidence),))
    assert repr(decode(encode(event))) == repr(event)


@pytest.mark.parametrize(
    "params",
    [
        {"$float": "1"},
        {"$int": "7", "x": 1},
        {"$": 1, "$$": {"$$float": [{"$float": "inf"}]}},
    ],
)
def test_evidence_that_looks_like_our_own_marks_comes_back(params: Mapping[str, Json]) -> None:
    event = step({"outer": params, **params})
    assert decode(encode(event)) == event


def test_a_sequence_in_evidence_comes_back_as_a_list_and_a_mapping_as_a_dict() -> None:
    event = step(MappingProxyType({"pods": ("a", "b"), "map": MappingProxyType({"k": 1})}))
    assert decode(encode(event)) == step({"pods": ["a", "b"], "map": {"k": 1}})


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        (b"bytes", "bytes is no JSON"),
        (object(), "object is no JSON"),
        ({1: "x"}, "key of a JSON object is a text, not int"),
        (AT, "datetime is no JSON"),
    ],
    ids=["bytes", "object", "key", "datetime"],
)
def test_what_is_no_json_is_refused_by_name(value: object, complaint: str) -> None:
    with pytest.raises(TimelineError, match=f"StepStarted cannot be recorded.*{complaint}"):
        encode(step({"x": cast("Json", value)}))


def test_labels_that_are_no_texts_are_refused() -> None:
    labels = cast("Mapping[str, str]", {1: "x"})
    bad = Alert(
        fingerprint=Fingerprint("f"), status=AlertStatus.FIRING, labels=labels, starts_at=AT
    )
    with pytest.raises(TimelineError, match="AlertsReceived cannot be recorded"):
        encode(AlertsReceived(alerts=(bad,), group=GroupKey("g")))


def test_evidence_without_a_bottom_is_refused() -> None:
    endless: list[Json] = []
    endless.append(endless)
    with pytest.raises(TimelineError, match="cannot be recorded"):
        encode(step({"x": endless}))


def test_a_line_nested_too_deeply_is_refused() -> None:
    deep = b"[" * 100_000 + b"]" * 100_000
    with pytest.raises(TimelineError):
        decode(b'{"v":1,"type":"step_started","event":{"params":{"x":' + deep + b"}}}")


@pytest.mark.parametrize("depth", [10, 100, 240, 300, 500, 900, 1100, 5000])
def test_deep_evidence_is_refused_when_written_or_it_can_be_read(depth: int) -> None:
    nested: Json = 1
    for level in range(depth):
        nested = [nested] if level % 2 else {"x": nested}
    event = step({"x": nested})
    try:
        line = encode(event)
    except TimelineError:
        assert depth > 200
    else:
        assert encode(decode(line)) == line


@pytest.mark.parametrize(
    "zone",
    [
        timezone(timedelta(hours=5, minutes=45)),
        timezone(timedelta(minutes=19, seconds=32)),
        timezone(-timedelta(hours=23, microseconds=1)),
    ],
    ids=str,
)
def test_moments_keep_their_microsecond_and_offset(zone: timezone) -> None:
    moment = datetime(1, 1, 3, 4, 5, 6, 7, tzinfo=zone)
    event = AlertsReceived(
        alerts=(
            Alert(
                fingerprint=Fingerprint("f"),
                status=AlertStatus.FIRING,
                labels={},
                starts_at=moment,
            ),
        ),
        group=GroupKey("g"),
    )
    found = decode(encode(event))
    assert isinstance(found, AlertsReceived)
    assert found == event
    assert found.alerts[0].starts_at.utcoffset() == zone.utcoffset(None)


@pytest.mark.parametrize("span", [timedelta.min, timedelta.max, timedelta(microseconds=-1)])
def test_spans_come_back_to_the_microsecond(span: timedelta) -> None:
    outcome = Outcome(result=Result.FAILED, summary="", retry_after=span)
    event = StepFinished(step=StepId("s"), attempt=1, outcome=outcome)
    assert decode(encode(event)) == event


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=12,
)
TEXT = st.text(st.characters(codec=None), max_size=20)


@settings(deadline=None)
@given(st.dictionaries(TEXT | st.sampled_from(["$int", "$float", "$"]), JSON, max_size=4))
def test_any_evidence_comes_back(params: Mapping[str, Json]) -> None:
    assert decode(encode(step(params))) == step(params)


@settings(deadline=None)
@given(TEXT, TEXT | st.none())
def test_any_text_comes_back(because: str, remedy: str | None) -> None:
    event = Chosen(remedy=remedy, because=because)
    assert decode(encode(event)) == event


@settings(deadline=None)
@given(st.binary(max_size=60) | st.just(encode(EVENTS[1])[:-7]))
def test_no_bytes_whatever_raise_anything_but_a_timeline_error(line: bytes) -> None:
    with pytest.raises(TimelineError):
        decode(line)


def test_a_delivery_of_many_alerts_is_one_line_of_text() -> None:
    event = AlertsReceived(alerts=tuple(map(alert, range(50))), group=GroupKey("g"))
    assert orjson.loads(encode(event))["event"]["alerts"][49]["labels"]["pod"] == "chat-49"
