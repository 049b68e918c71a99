"""Matchers mean what they mean in Alertmanager."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healer.model.matcher import LONGEST, Matcher, MatchOp, all_match
from healer.playbook.matching import parse_matcher

_NAMES = st.from_regex(r"\A[a-z_][a-z0-9_]{0,8}\Z")


def _matcher(op: MatchOp, value: str, label: str = "a") -> Matcher:
    return Matcher(label=label, op=op, value=value)


@pytest.mark.parametrize(
    ("op", "value", "found", "holds"),
    [
        (MatchOp.EQUAL, "b", "b", True),
        (MatchOp.EQUAL, "b", "bc", False),
        (MatchOp.NOT_EQUAL, "b", "c", True),
        (MatchOp.MATCHES, "b", "bc", False),
        (MatchOp.MATCHES, "b.*", "bc", True),
        (MatchOp.MATCHES, "b|c", "c", True),
        (MatchOp.MATCHES, "b|c", "xc", False),
        (MatchOp.NOT_MATCHES, "b|c", "xc", True),
        (MatchOp.NOT_MATCHES, "b|c", "c", False),
    ],
)
def test_expressions_are_anchored_at_both_ends(
    op: MatchOp, value: str, found: str, *, holds: bool
) -> None:
    assert _matcher(op, value).matches({"a": found}) is holds


@pytest.mark.parametrize(
    ("op", "value", "holds"),
    [
        (MatchOp.EQUAL, "", True),
        (MatchOp.EQUAL, "b", False),
        (MatchOp.NOT_EQUAL, "b", True),
        (MatchOp.NOT_EQUAL, "", False),
        (MatchOp.MATCHES, ".*", True),
        (MatchOp.MATCHES, ".+", False),
        (MatchOp.NOT_MATCHES, ".+", True),
    ],
)
def test_a_label_that_is_missing_is_empty(op: MatchOp, value: str, *, holds: bool) -> None:
    assert _matcher(op, value).matches({}) is holds


@given(st.text(), st.dictionaries(_NAMES, st.text()))
def test_an_operator_and_its_opposite_never_agree(value: str, labels: dict[str, str]) -> None:
    equal, unequal = _matcher(MatchOp.EQUAL, value), _matcher(MatchOp.NOT_EQUAL, value)
    assert equal.matches(labels) is not unequal.matches(labels)
    pattern = re.escape(value)
    yes, no = _matcher(MatchOp.MATCHES, pattern), _matcher(MatchOp.NOT_MATCHES, pattern)
    assert yes.matches(labels) is not no.matches(labels)
    assert yes.matches(labels) is equal.matches(labels)


@given(_NAMES, st.sampled_from([MatchOp.EQUAL, MatchOp.NOT_EQUAL]), _NAMES)
def test_a_matcher_reads_back_from_its_text(label: str, op: MatchOp, value: str) -> None:
    matcher = _matcher(op, value, label)
    assert parse_matcher(str(matcher)) == matcher


def test_no_matchers_mean_nothing_and_never_everything() -> None:
    assert not all_match((), {"a": "b"})
    assert not all_match((), {})


@given(st.lists(st.tuples(_NAMES, _NAMES), min_size=1), st.dictionaries(_NAMES, _NAMES))
def test_all_must_hold(pairs: list[tuple[str, str]], labels: dict[str, str]) -> None:
    matchers = tuple(_matcher(MatchOp.EQUAL, value, label) for label, value in pairs)
    expected = all(labels.get(label, "") == value for label, value in pairs)
    assert all_match(matchers, labels) is expected


def test_a_value_too_long_for_an_expression_satisfies_neither_it_nor_its_opposite() -> None:
    labels = {"pod": "a" * (LONGEST + 1)}
    assert not Matcher(label="pod", op=MatchOp.MATCHES, value=".*").matches(labels)
    assert not Matcher(label="pod", op=MatchOp.NOT_MATCHES, value="b").matches(labels)
