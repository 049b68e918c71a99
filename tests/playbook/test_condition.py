"""Conditions: what is misspelt is told when loaded, what cannot be decided is never just false."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healer.playbook.condition import (
    MAX_BYTES,
    ConditionError,
    check_condition,
    evaluate,
    referenced_checks,
)
from healer.playbook.expression import dissect
from healer.playbook.scope import Names
from healer.playbook.value import MAX_ITEMS, Value

NAMES = Names(checks=frozenset({"free", "old"}), steps=frozenset({"evict"}))
SCOPE: dict[str, Value] = {
    "checks": {
        "free": {"holds": True, "value": 7.5, "unknown": float("nan"), "names": ["a", "b"]},
        "old": {"bytes": 3, "count": 0, "text": "x", "list": list(range(5000))},
    },
    "service": {"thresholds": {"ssd": 20.0}},
    "alert": {"labels": {"severity": "critical"}, "age_seconds": 901.0},
}


@pytest.mark.parametrize(
    "text",
    [
        "checks.old.bytes > 0",
        "checks.free.value < service.thresholds.ssd",
        'alert.labels.severity == "critical" && alert.age_seconds > 900.0',
        "has(checks.free.value) && !has(checks.free.nothing)",
        'checks.free.names.exists(one, one == "a")',
        'checks.free.names.filter(one, one == "a").size() == 1',
        'checks["old"].bytes == 3',
        "checks.free.unknown == null",
        "checks.old.bytes > 0 || checks.old.nothing.at.all",
        '"b" in checks.free.names',
        "true // a comment that names checks.nope",
    ],
)
def test_a_condition_that_holds_passes_the_check_and_is_true(text: str) -> None:
    assert check_condition(text, NAMES) == ()
    assert evaluate(text, SCOPE) is True


def test_a_condition_that_does_not_hold_is_false() -> None:
    assert evaluate("checks.old.bytes > 3", SCOPE) is False


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("checks.free.unknown > 1.0", "`checks.free.unknown` is null, so nothing is known of it"),
        ("checks.free.valu > 1.0", "`checks.free` has no `valu`; did you mean `value`?"),
        ("checks.nope.value > 1.0", "`checks` has no `nope`"),
        ("target.name == 'x'", "there is no `target`"),
        ("checks.old.bytes", "it gives 3, which is neither true nor false"),
        ("checks.old.bytes / checks.old.count > 1", "division by zero"),
        ("checks.old.text > 3", "checks.old.text = 'x'"),
        ("checks.old.bytes +", "Failed to parse"),
        ("1 > 0" + " " * MAX_BYTES, f"more than {MAX_BYTES} bytes"),
    ],
)
def test_what_cannot_be_decided_is_an_error_with_its_reason(text: str, reason: str) -> None:
    with pytest.raises(ConditionError) as caught:
        evaluate(text, SCOPE)
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        '"checks.nope is only a text" != ""',
        "'it\\'s checks.nope' != ''",
        r"r'\' != checks.free.text",
        '"""checks.nope""" != ""',
        "[1].exists(checks_, checks_ > 0)",
        "checks.free.names.all(checks2, size(checks2) > 0)",
        "alerts.exists(one, one.labels.pod == 'a')",
        "steps.evict.result == 'succeeded'",
        "incident.failed_runs > 1 && target.kind == 'deployment'",
        "alert.annotations['summary'] != ''",
    ],
)
def test_what_only_looks_like_an_unknown_name_is_no_fault(text: str) -> None:
    assert check_condition(text, NAMES) == ()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("checks.free.names.all(x, checks.nope.holds)", "`checks.nope`"),
        ("checks.free.names.all(x, true) && x", "`x` is not known"),
        ("optional.of(1)", "no function `of()`"),
        (".checks.old.holds", "`.checks` is not known"),
        ("checks.a.x > 1 && checks.b.x > 1", "`checks.a`"),
        ('checks["nope"].x > 1', "`checks.nope`"),
        ("(" * 90 + "true" + ")" * 90, "brackets deeper than 24"),
    ],
)
def test_what_is_wrong_is_found_wherever_it_hides(text: str, problem: str) -> None:
    assert problem in " ".join(check_condition(text, NAMES))


def test_both_of_two_mistakes_are_told() -> None:
    assert len(check_condition("checks.a.x > 1 && checks.b.x > 1", NAMES)) == 2


def test_the_checks_that_a_condition_looks_at_are_known() -> None:
    text = 'checks.free.value > 1.0 && checks["old"].bytes > 0 && alert.labels.checks == "checks.x"'
    assert referenced_checks(text) == {"free", "old"}
    assert referenced_checks("true") == frozenset()


def test_lists_are_cut_so_that_an_answer_comes_soon() -> None:
    assert evaluate(f"size(checks.old.list) == {MAX_ITEMS}", SCOPE)


def test_rows_are_cut_where_they_are_heavy() -> None:
    rows: list[Value] = [["x"] * 100 for _ in range(1000)]
    assert evaluate("size(alerts) < 100 && size(alerts) > 10", {"alerts": rows})


def test_rows_that_are_filtered_are_cut_sooner() -> None:
    rows: list[Value] = [{"a": number} for number in range(1000)]
    assert evaluate("alerts.filter(row, row.a >= 0).size() == 750", {"alerts": rows})
    assert evaluate("alerts.exists(row, row.a == 999)", {"alerts": rows})


def test_values_too_deep_to_hold_become_null() -> None:
    deep: Value = 1
    for _ in range(5000):
        deep = [deep]
    assert evaluate("size(alerts) == 1", {"alerts": deep})


def test_moments_and_spans_can_be_compared() -> None:
    scope: dict[str, Value] = {
        "since": datetime(2026, 1, 1, tzinfo=UTC),
        "span": timedelta(minutes=2),
    }
    assert evaluate('since < timestamp("2026-01-02T00:00:00Z")', scope)
    assert evaluate('span > duration("90s")', scope)


@given(st.text() | st.text(alphabet="checks.fold()[]{}\"'&|<>=!+-*/?:,0 1\n\\rb"))
def test_no_text_breaks_the_check_or_the_answer(text: str) -> None:
    problems = check_condition(text, NAMES)
    assert all(problems)
    try:
        answer = evaluate(text, SCOPE)
    except ConditionError:
        return
    assert answer in (True, False)


@given(st.text(alphabet="ax.()[]{}\"'\\rb/ \n&|,1"))
def test_no_text_breaks_the_reader_of_names(text: str) -> None:
    assert dissect(text).depth >= 0


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


@given(_VALUES, st.sampled_from(["x", "x > 0", "x == null", "size(x) > 0", "x.a.b", "x in [1]"]))
def test_no_value_breaks_an_answer(value: Value, text: str) -> None:
    try:
        answer = evaluate(text, {"x": value})
    except ConditionError:
        return
    assert answer in (True, False)
