"""Reads matchers as Alertmanager writes them: `name="value"`, `!=`, `=~`, `!~`."""

import re
from collections.abc import Iterable

import cel

from healer.model.matcher import Matcher, MatchOp, all_match

_MATCHER = re.compile(
    r"\s*(?P<label>[A-Za-z_][A-Za-z0-9_]*)\s*(?P<op>=~|!~|!=|==|=)\s*(?P<value>.*?)\s*",
    re.DOTALL | re.ASCII,
)
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_BARE = re.compile(r"[^\s\"'{},]*")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPED = {"n": "\n", '"': '"', "\\": "\\"}
_RIGHT = 'write label="value", with =, !=, =~ or !~'
_LONGEST = 1024
_TORN_SET = re.compile(r"(?<!\\)\[(?:[^\]\\]|\\.)*?(?:\[|--|&&|\|\||~~)")
_HUNGRY = re.compile(r"\((?:[^()\\]|\\.)*[+*](?:[^()\\]|\\.)*\)\s*(?:[+*]|\{\d+,\})")
"""A repeated group that holds a repeat: on some label values it would search for ever."""


def parse_matcher(text: str) -> Matcher:
    """The matcher that `text` is; ValueError, saying what would be right, where it is none."""
    found = _MATCHER.fullmatch(text)
    if found is None:
        message = f"{text!r} is not a matcher: {_RIGHT}"
        raise ValueError(message)
    if found["op"] == "==":
        message = f"{text!r} is not a matcher: equality is one `=`"
        raise ValueError(message)
    matcher = Matcher(
        label=found["label"], op=MatchOp(found["op"]), value=_value(found["value"], text)
    )
    if matcher.op in (MatchOp.MATCHES, MatchOp.NOT_MATCHES):
        check_pattern(matcher.value)
    return matcher


def check_pattern(pattern: str) -> None:
    """ValueError where the pattern is none, or is not one that Alertmanager (RE2) takes, too."""
    if len(pattern) > _LONGEST:
        message = f"the expression is longer than {_LONGEST} characters"
        raise ValueError(message)
    if _TORN_SET.search(pattern):
        message = f"{pattern!r}: `[`, `--`, `&&`, `||` or `~~` between brackets means different "
        message += "things to different readers: put a backslash before it"
        raise ValueError(message)
    try:
        re.compile(pattern)
    except (re.error, RecursionError, OverflowError, FutureWarning) as error:
        message = f"{pattern!r} is not a regular expression: {error}"
        raise ValueError(message) from None
    if _HUNGRY.search(pattern):
        message = f"{pattern!r} repeats a repeated group, which may search for ever: write it flat"
        raise ValueError(message)
    try:
        cel.compile("''.matches(pattern)").execute({"pattern": pattern})
    except Exception as error:  # whatever it raises, the pattern is not one of RE2
        message = f"{pattern!r} is not a regular expression for Alertmanager (RE2), which has no "
        message += "look-around and no back references"
        raise ValueError(message) from error


def check_alternative(matchers: Iterable[Matcher]) -> None:
    """ValueError where the matchers would hold for alerts that have none of their labels."""
    every = tuple(matchers)
    if not every:
        message = "no matchers mean nothing: name at least one"
        raise ValueError(message)
    if all_match(every, {}):
        shown = ", ".join(map(str, every))
        message = f"{shown} holds for any alert at all: add a matcher that a label must fulfil"
        raise ValueError(message)


def _value(written: str, text: str) -> str:
    if quoted := _QUOTED.fullmatch(written):
        return _ESCAPE.sub(lambda found: _ESCAPED.get(found[1], found[0]), quoted[1])
    if _BARE.fullmatch(written):
        return written
    hint = "one matcher for each entry of the list" if "," in text else _RIGHT
    message = f"{text!r} is not a matcher: {hint}"
    raise ValueError(message)
