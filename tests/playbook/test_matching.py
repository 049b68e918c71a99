"""Matchers are read as Alertmanager reads them."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healer.model.matcher import Matcher, MatchOp
from healer.playbook.matching import check_alternative, parse_matcher


@pytest.mark.parametrize(
    ("text", "label", "op", "value"),
    [
        ('a="b"', "a", MatchOp.EQUAL, "b"),
        ("a=b", "a", MatchOp.EQUAL, "b"),
        ("a=", "a", MatchOp.EQUAL, ""),
        (' a != "b" ', "a", MatchOp.NOT_EQUAL, "b"),
        ('a=~"b|c"', "a", MatchOp.MATCHES, "b|c"),
        ("a!~b.*", "a", MatchOp.NOT_MATCHES, "b.*"),
        (r'a="say \"b\"\n\\"', "a", MatchOp.EQUAL, 'say "b"\n\\'),
        (r'a=~"b\.c\d"', "a", MatchOp.MATCHES, r"b\.c\d"),
        ('a="b,c={d}"', "a", MatchOp.EQUAL, "b,c={d}"),
        (r'a=~"[\[a-z]x\[b--"', "a", MatchOp.MATCHES, r"[\[a-z]x\[b--"),
        ('a="=~"', "a", MatchOp.EQUAL, "=~"),
    ],
)
def test_a_matcher_is_read(text: str, label: str, op: MatchOp, value: str) -> None:
    assert parse_matcher(text) == Matcher(label=label, op=op, value=value)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is not a matcher"),
        ("a", "write label="),
        ('"a"="b"', "is not a matcher"),
        ("1a=b", "is not a matcher"),
        ("a=='b'", "equality is one"),
        ('a="b', "is not a matcher"),
        ('a="b" c="d"', "is not a matcher"),
        ('a="b",c="d"', "one matcher for each entry"),
        ('{a="b"}', "is not a matcher"),
        ('a=~"["', "is not a regular expression"),
        ('a=~"[[:alpha:]]+"', "means different things to different readers"),
        ('a=~"[a&&b]"', "means different things to different readers"),
        (r'a=~"(b)\1"', "RE2"),
        ('a=~"(?=b)b"', "RE2"),
        ('a=~"(x*)*y"', "may search for ever"),
        ('a=~"(x{1,}y+)*"', "may search for ever"),
        (f'a=~"{"x" * 2000}"', "longer than 1024"),
    ],
)
def test_what_is_no_matcher_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=re.escape(reason)):
        parse_matcher(text)


@given(st.text())
def test_any_value_survives_being_written_as_alertmanager_writes_it(value: str) -> None:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    assert parse_matcher(f'a="{escaped}"').value == value


@given(st.text() | st.text(alphabet='abc=~!"\\{},()*+?[] \n'))
def test_no_text_breaks_the_reader(text: str) -> None:
    try:
        matcher = parse_matcher(text)
    except ValueError:
        return
    matcher.matches({matcher.label: "some value"})


@pytest.mark.parametrize("texts", [[], ['a!="b"'], ['a=~".*"', 'b=""'], ['a!~"b"']])
def test_matchers_that_hold_for_anything_are_refused(texts: list[str]) -> None:
    with pytest.raises(ValueError, match=r"holds for any alert at all|mean nothing"):
        check_alternative(map(parse_matcher, texts))


def test_one_matcher_that_must_be_fulfilled_is_enough() -> None:
    check_alternative(map(parse_matcher, ['a!="b"', 'c="d"']))
