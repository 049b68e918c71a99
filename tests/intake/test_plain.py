"""The quick reader says nothing, or exactly what the thorough one says."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from healer.intake import plain
from healer.intake.payload import (
    MAX_ALERTS,
    MAX_NAME,
    MAX_TEXT,
    PayloadError,
    parse,
    parse_by_hand,
    prove,
)
from healer.model.alert import AlertGroup
from tests.intake.test_payload import alert, body, group

CORPUS = sorted((Path(__file__).parent / "corpus").iterdir())
TIMES = st.sampled_from(
    [
        "2026-01-02T03:04:05Z",
        "2026-01-02T03:04:05.123456789Z",
        "2026-01-02T03:04:05+00:00",
        "2026-01-02T03:04:05+01:00",
        "2026-01-02T03:04:05",
        "20260102T030405Z",
        "2026-01-02",
        "0001-01-01T00:00:00Z",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "",
        "soon",
    ]
)
WORDS = st.one_of(
    st.text(max_size=5), st.sampled_from(["alertname", "pod", "a.b", "x" * (MAX_NAME + 1), "\x7f"])
)
ODD = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.just([]), st.just({}))
TEXTS = st.one_of(st.text(max_size=5), st.just("w" * (MAX_TEXT + 1)))
LABELS = st.dictionaries(WORDS, st.one_of(TEXTS, ODD), max_size=3)
ALERTS = st.fixed_dictionaries(
    {},
    optional={
        "status": st.one_of(st.sampled_from(["firing", "resolved", "Firing"]), ODD),
        "labels": st.one_of(LABELS, ODD),
        "annotations": st.one_of(LABELS, ODD),
        "startsAt": st.one_of(TIMES, ODD),
        "endsAt": st.one_of(TIMES, ODD),
        "generatorURL": st.one_of(TEXTS, ODD),
        "fingerprint": st.one_of(WORDS, ODD),
        "more": ODD,
    },
)
GROUPS = st.fixed_dictionaries(
    {},
    optional={
        "version": st.one_of(st.sampled_from(["4", "3"]), ODD),
        "groupKey": st.one_of(TEXTS, ODD),
        "truncatedAlerts": st.one_of(st.integers(), ODD),
        "status": ODD,
        "groupLabels": st.one_of(LABELS, ODD),
        "more": ODD,
    },
)


def quick(content: bytes) -> object:
    found = plain.read(content, alerts=MAX_ALERTS, name=MAX_NAME, text=MAX_TEXT)
    return None if found is None else plain.group(found)


def assert_the_same(content: bytes) -> None:
    """Both readers agree, and so does the proof that is asked before the answer."""
    thorough = outcome(parse_by_hand, content)
    assert outcome(parse, content) == thorough
    proven = outcome(prove, content)
    if isinstance(thorough, AlertGroup):
        assert quick(content) in (None, thorough)
        assert isinstance(proven, int)
        assert proven >= len(thorough.alerts)
    else:
        assert quick(content) is None
        assert proven == thorough


def outcome(read: Callable[[bytes], AlertGroup | int], content: bytes) -> AlertGroup | int | str:
    """What it makes of the content, or what it says is wrong."""
    try:
        return read(content)
    except PayloadError as error:
        return str(error)


@settings(max_examples=400, deadline=None)
@given(changes=st.lists(ALERTS, max_size=3), top=GROUPS)
def test_a_body_that_is_almost_right_means_the_same_to_both(
    changes: list[dict[str, object]], top: dict[str, object]
) -> None:
    rows = [alert(number, **change) for number, change in enumerate(changes)]
    assert_the_same(json.dumps(group(*rows, **top)).encode())


@settings(max_examples=300, deadline=None)
@given(at=st.floats(0, 1), junk=st.binary(max_size=3), cut=st.integers(0, 8))
def test_a_damaged_body_means_the_same_to_both(at: float, junk: bytes, cut: int) -> None:
    whole = body(alert(1), alert(2, status="resolved"))
    place = int(at * len(whole))
    assert_the_same(whole[:place] + junk + whole[place + cut :])


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.name)
def test_the_corpus_means_the_same_to_both(path: Path) -> None:
    assert_the_same(path.read_bytes())


@pytest.mark.parametrize(
    "content",
    [
        b'{"version":"3","version":"4","groupKey":"","receiver":"","alerts":[]}',
        b'{"version":"4","version":"3","groupKey":"","receiver":"","alerts":[]}',
        b'{"version":"4","groupKey":"\\ud800","receiver":"","alerts":[]}',
        b'{"version":"4","groupKey":"\xff","receiver":"","alerts":[]}',
        b'{"version":"4","groupKey":"","receiver":"","alerts":[],"truncatedAlerts":1.0}',
        b'{"version":"4","groupKey":"","receiver":"","alerts":[],"truncatedAlerts":1e2}',
        b'{"version":"4","groupKey":"","receiver":"","alerts":[]} ',
        b'{"version":"4","groupKey":"","receiver":"","alerts":[]},',
        b'{"version":"4","groupKey":"","receiver":"","alerts":[],"x":' + b"[" * 5000,
    ],
    ids=range(9),
)
def test_what_json_readers_like_to_differ_in_means_the_same_to_both(content: bytes) -> None:
    assert_the_same(content)


def test_a_body_as_alertmanager_writes_it_takes_the_quick_way() -> None:
    assert quick(body(alert(1), alert(2))) is not None
