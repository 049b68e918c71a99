"""What looks like a secret is hidden, whatever it stands in; all else stays as it was."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healer.notify.redact import plain, redact, redact_value

SECRETS = [
    ("db-password=hunter2 set", "db-password=*** set"),
    ('{"API_KEY": "abc"}', '{"API_KEY": "***"}'),
    ("apikey: abc", "apikey: ***"),
    ("Authorization: Bearer abc.def", "Authorization: ***"),
    ("sent Bearer abc.def away", "sent Bearer *** away"),
    ("sent Basic dXNlcjpwYXNz", "sent Basic ***"),
    ("by xoxb-1-2-abc", "by ***"),
    ("AKIAABCDEFGHIJKLMNOP", "***"),
    ("hf_abcdefghijklmnopqrstuv", "***"),
    ("glpat-abcdefghijklmnopqrs", "***"),
    ("eyJhbGciOi.eyJzdWIi.x", "***"),
    ("https://user:pass@host/x", "https://***@host/x"),
    ("CREDENTIALS=x SECRET=y", "CREDENTIALS=*** SECRET=***"),
]
PIECES = [
    *("password", "PassWd", "secret", "Token", "api_key", "API-KEY", "authorization", "credential"),
    *("xoxb-1", "Bearer ", "Basic abcdefgh", "AKIA", "ABCDEFGH01234567", "sk-", "hf_", "ghp-"),
    *("gho_", "glpat-", "abcdefghijklmnop", "eyJ", "a.b", "://", "@", "=", ": ", '"', " ", "x"),
]


@pytest.mark.parametrize(("text", "shown"), SECRETS)
def test_secrets_are_hidden(text: str, shown: str) -> None:
    assert redact(text) == shown


@pytest.mark.parametrize(
    "text", ["the disk is full", "a task and a basic key", "monkey", "http://host/path", ""]
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redact(text) == text


@given(st.lists(st.sampled_from(PIECES), max_size=8).map("".join))
def test_the_short_way_misses_nothing(text: str) -> None:
    """Text beyond ASCII is always searched, so the two must agree."""
    assert redact(f"é {text}") == f"é {redact(text)}"


def test_letters_that_only_fold_to_those_of_a_hint_hide_nothing() -> None:
    assert redact("paſſword=hunter2") == "paſſword=***"
    assert redact("to\N{KELVIN SIGN}en=hunter2") == "to\N{KELVIN SIGN}en=***"


def test_a_parameter_is_hidden_by_its_name() -> None:
    assert redact_value("webhook_token", 5) == "***"
    assert redact_value("replicas", 5) == "5"


def test_a_text_is_one_printable_line_that_is_cut() -> None:
    assert plain("two\nlines\x1b[31m", 40) == "two lines [31m"
    assert plain("x" * 50, 10) == "x" * 9 + "…"
    assert plain("password=" + "x" * 500, 20) == "password=***"
