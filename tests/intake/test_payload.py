"""Alertmanager bodies: what is read, what is cut, and what is refused, with the place named."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from healer.intake.payload import MAX_ALERTS, MAX_NAME, MAX_TEXT, PayloadError, parse
from healer.model.alert import AlertStatus

CORPUS = sorted((Path(__file__).parent / "corpus").iterdir())


def alert(number: int = 1, **changes: object) -> dict[str, object]:
    return {
        "status": "firing",
        "labels": {"alertname": "QueueLong", "pod": f"llm-{number}"},
        "annotations": {"summary": "the queue is long"},
        "startsAt": "2026-01-02T03:04:05.123456789Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus/graph",
        "fingerprint": f"{number:016x}",
    } | changes


def group(*alerts: object, **changes: object) -> dict[str, object]:
    return {
        "version": "4",
        "groupKey": '{}:{alertname="QueueLong"}',
        "truncatedAlerts": 0,
        "status": "firing",
        "receiver": "healer",
        "groupLabels": {"alertname": "QueueLong"},
        "commonLabels": {},
        "commonAnnotations": {},
        "externalURL": "http://alertmanager",
        "alerts": list(alerts),
    } | changes


def body(*alerts: object, **changes: object) -> bytes:
    return orjson.dumps(group(*alerts, **changes))


def refused(content: bytes) -> PayloadError:
    with pytest.raises(PayloadError) as caught:
        parse(content)
    return caught.value


def test_every_field_that_matters_is_read() -> None:
    result = parse(body(alert(), truncatedAlerts=3))
    (only,) = result.alerts
    assert (result.key, result.receiver) == ('{}:{alertname="QueueLong"}', "healer")
    assert result.truncated == 3
    assert only.fingerprint == "0000000000000001"
    assert only.status is AlertStatus.FIRING
    assert only.labels == {"alertname": "QueueLong", "pod": "llm-1"}
    assert only.annotations == {"summary": "the queue is long"}
    assert only.starts_at == datetime(2026, 1, 2, 3, 4, 5, 123456, tzinfo=UTC)
    assert only.ends_at is None
    assert only.generator_url == "http://prometheus/graph"


def test_unknown_fields_of_newer_versions_are_accepted() -> None:
    newer = body(alert(extra={"deep": [1]}), notification_reason="new", routeLabels={"a": "b"})
    assert len(parse(newer).alerts) == 1


def test_a_mixed_group_keeps_both_kinds() -> None:
    ended = alert(2, status="resolved", endsAt="2026-01-02T04:00:00+01:00")
    first, second = parse(body(alert(1), ended)).alerts
    assert (first.status, second.status) == (AlertStatus.FIRING, AlertStatus.RESOLVED)
    assert second.ends_at == datetime(2026, 1, 2, 3, tzinfo=UTC)


def test_duplicates_collapse_to_the_last() -> None:
    ended = alert(1, status="resolved", endsAt="2026-01-02T04:00:00Z")
    result = parse(body(alert(1), alert(2), ended))
    assert [(one.fingerprint[-1], one.status.value) for one in result.alerts] == [
        ("1", "resolved"),
        ("2", "firing"),
    ]


@pytest.mark.parametrize("missing", [None, ""])
def test_a_missing_fingerprint_is_derived_from_the_labels(missing: str | None) -> None:
    mirrored = {"pod": "llm-1", "alertname": "QueueLong"}
    (one,) = parse(body(alert(1, fingerprint=missing))).alerts
    (same,) = parse(body(alert(1, fingerprint=missing, labels=mirrored))).alerts
    (other,) = parse(body(alert(2, fingerprint=missing))).alerts
    assert one.fingerprint == same.fingerprint != other.fingerprint
    assert len(one.fingerprint) == 16


def test_derived_fingerprints_stay_apart_beyond_the_cut() -> None:
    long = "x" * (MAX_TEXT + 1)
    rows = [alert(fingerprint=None, labels={"path": long + end}) for end in "ab"]
    first, second = parse(body(*rows)).alerts
    assert first.fingerprint != second.fingerprint
    assert first.labels != second.labels


def test_a_huge_value_is_cut_and_says_so() -> None:
    annotations = {"log": "é" * 1_000_000, "short": "kept"}
    (one,) = parse(body(alert(annotations=annotations))).alerts
    assert one.annotations["log"].startswith("é" * MAX_TEXT + "… [cut: 1000000 characters")
    assert len(one.annotations["log"]) < MAX_TEXT + 80
    assert one.annotations["short"] == "kept"


def test_a_huge_group_key_is_cut_but_stays_itself() -> None:
    first, second = (parse(body(alert(), groupKey="k" * 100_000 + end)).key for end in "ab")
    assert first != second
    assert len(first) < MAX_TEXT + 80


def test_control_characters_in_values_are_kept() -> None:
    (one,) = parse(body(alert(annotations={"raw": "a\x00b\x1b[31mc\n"}))).alerts
    assert one.annotations["raw"] == "a\x00b\x1b[31mc\n"


def test_more_alerts_than_the_limit_are_counted_as_truncated() -> None:
    rows = [alert(number) for number in range(MAX_ALERTS + 5)]
    result = parse(body(*rows, truncatedAlerts=2))
    assert (len(result.alerts), result.truncated) == (MAX_ALERTS, 7)


def test_ten_thousand_alerts_fit() -> None:
    content = body(*(alert(number) for number in range(10_000)))
    assert len(content) < 8 * 1024 * 1024
    assert len(parse(content).alerts) == 10_000


def test_names_may_be_utf8_as_alertmanager_allows() -> None:
    (one,) = parse(body(alert(labels={"größe": "5", "http.status": "200"}))).alerts
    assert one.labels == {"größe": "5", "http.status": "200"}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b'{"version": "4", "x": NaN}', "not JSON"),
        (b'{"version": "4", "groupKey": "\\ud800"}', "not JSON"),
        (b"[]", "must be an object, not a list"),
        (b"null", "must be an object, not null"),
        (body(version="3"), 'version: must be "4", not "3"'),
        (body(version=4), 'version: must be "4", not 4'),
        (b"{}", 'version: must be "4", not null'),
        (body(alerts=None), "alerts: must be a list, not null"),
        (body(alerts={}), "alerts: must be a list, not an object"),
        (body(groupKey=7), "groupKey: must be a text, not 7"),
        (body(receiver=None), "receiver: must be a text, not null"),
        (body(truncatedAlerts=-1), "truncatedAlerts: must be a count, not -1"),
        (body(truncatedAlerts=True), "truncatedAlerts: must be a count, not true"),
        (body(alert(), 5), "alerts[1]: must be an object, not 5"),
        (body(alert(status="x")), 'alerts[0].status: must be "firing" or "resolved", not "x"'),
        (body(alert(status=[1])), 'must be "firing" or "resolved", not a list'),
        (body(alert(labels=None)), "alerts[0].labels: must be an object, not null"),
        (body(alert(labels={"a": 1})), "alerts[0].labels.a: must be a text, not 1"),
        (body(alert(labels={"": "x"})), "alerts[0].labels: a name is empty"),
        (body(alert(labels={"a\n": "x"})), "a name holds control characters"),
        (body(alert(labels={"n" * (MAX_NAME + 1): "x"})), "a name has 1025 characters"),
        (body(alert(annotations=[])), "alerts[0].annotations: must be an object"),
        (body(alert(annotations={"a": None})), "annotations.a: must be a text, not null"),
        (body(alert(startsAt="yesterday")), 'alerts[0].startsAt: not a time: "yesterday"'),
        (body(alert(startsAt=5)), "alerts[0].startsAt: must be a time, not 5"),
        (body(alert(startsAt="0001-01-01T00:00:00Z")), "alerts[0].startsAt: is the zero time"),
        (body(alert(startsAt="2026-01-02T03:04:05")), "a time without a zone"),
        (body(alert(endsAt="9999-12-31T23:59:59-01:00")), "alerts[0].endsAt: not a time"),
        (body(alert(fingerprint=5)), "alerts[0].fingerprint: must be a text of 1 to"),
        (body(alert(fingerprint="f" * 2000)), "alerts[0].fingerprint: must be a text of 1 to"),
        (body(alert(generatorURL=None)), "alerts[0].generatorURL: must be a text, not null"),
    ],
)
def test_what_cannot_be_understood_is_named_with_its_place(content: bytes, words: str) -> None:
    assert words in str(refused(content))


@pytest.mark.parametrize("field", ["groupKey", "receiver", "alerts"])
def test_a_missing_field_is_named(field: str) -> None:
    document = group(alert())
    del document[field]
    assert str(refused(orjson.dumps(document))) == f"{field}: is missing"


@pytest.mark.parametrize("field", ["status", "labels", "startsAt"])
def test_a_missing_field_of_an_alert_is_named(field: str) -> None:
    row = alert(fingerprint=None)
    del row[field]
    assert str(refused(body(alert(), row))) == f"alerts[1].{field}: is missing"


def test_deep_nesting_is_refused_or_ignored_never_fatal() -> None:
    deep = b"[" * 100_000 + b"]" * 100_000
    assert "not JSON" in str(refused(deep))
    assert "not JSON" in str(refused(b'{"version":"4","x":' + deep + b"}"))
    shallow = b"[" * 200 + b"]" * 200
    assert parse(body(alert())[:-1] + b',"x":' + shallow + b"}").alerts


def test_a_body_made_of_nothing_but_brackets_is_refused_before_it_is_read() -> None:
    assert "more than 500000 objects" in str(refused(b'{"x":[' + b"{}," * 500_000))


def test_an_error_never_repeats_much_of_the_body() -> None:
    assert len(str(refused(body(alert(startsAt="s" * 100_000))))) < 200


@given(st.binary(max_size=200))
def test_any_bytes_are_parsed_or_refused(content: bytes) -> None:
    _parsed_or_refused(content)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["status", "labels", "startsAt", "x", ""]), inner)
    ),
    max_leaves=8,
)
FIELDS = st.sampled_from(sorted(group()))
ALERT_FIELDS = st.sampled_from(sorted(alert()))


@given(st.dictionaries(FIELDS, JSON), st.lists(JSON, max_size=2))
def test_any_json_in_any_field_is_parsed_or_refused(
    changes: dict[str, Any], rows: list[Any]
) -> None:
    _parsed_or_refused(orjson.dumps(group(alert(), *rows) | changes))


@given(st.dictionaries(ALERT_FIELDS, JSON, min_size=1))
def test_any_json_in_any_field_of_an_alert_is_parsed_or_refused(changes: dict[str, Any]) -> None:
    _parsed_or_refused(body(alert() | changes))


@given(st.datetimes(timezones=st.just(UTC)), st.integers(-14 * 60, 14 * 60))
def test_times_come_out_as_they_went_in(moment: datetime, minutes: int) -> None:
    assume(2 < moment.year < 9998)
    zone = timezone(timedelta(minutes=minutes))
    (one,) = parse(body(alert(startsAt=moment.astimezone(zone).isoformat()))).alerts
    assert one.starts_at == moment
    assert one.starts_at.tzinfo is UTC


LABELS = st.dictionaries(
    st.from_regex(r"[a-zA-Z_][a-zA-Z0-9_]{0,8}", fullmatch=True),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    max_size=5,
)


@given(st.lists(LABELS, max_size=5))
def test_labels_come_out_as_they_went_in(rows: list[dict[str, str]]) -> None:
    alerts = [alert(number, labels=labels) for number, labels in enumerate(rows)]
    assert [one.labels for one in parse(body(*alerts)).alerts] == rows


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.name)
def test_the_corpus_does_as_its_names_say(path: Path) -> None:
    wanted: dict[str, Callable[[bytes], object]] = {"good": parse, "bad": refused}
    assert wanted[path.name.split("-", 1)[0]](path.read_bytes())


def _parsed_or_refused(content: bytes) -> None:
    try:
        parse(content)
        message = "parsed"
    except PayloadError as error:
        message = str(error)
    assert 0 < len(message) < 400
