"""Streaming text: half characters and half stop strings are held back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.text import Detokenizer, StopScanner


class ByteTokenizer:
    """One token, one byte."""

    def encode(self, text: str) -> list[int]:
        return list(text.encode())

    def decode(self, tokens: list[int]) -> str:
        return bytes(tokens).decode(errors="replace")

    def chat(self, messages: list[dict[str, str]]) -> list[int]:
        raise ValueError(messages)


@given(st.text())
def test_streamed_text_is_the_whole_text_and_never_half_a_character(text: str) -> None:
    tokenizer = ByteTokenizer()
    writer = Detokenizer(tokenizer)
    pieces = [writer.push(token) for token in tokenizer.encode(text)]
    assert "".join(pieces) + writer.finish() == text


def test_bytes_that_become_no_character_come_out_in_the_end() -> None:
    writer = Detokenizer(ByteTokenizer())
    assert writer.push(0xF0) == ""
    assert writer.finish() == "\ufffd"


@pytest.mark.parametrize("pieces", [["one END two"], ["one E", "ND two"], list("one END two")])
def test_text_ends_before_the_stop_string_however_it_is_cut(pieces: list[str]) -> None:
    scanner = StopScanner(("END",))
    shown = ""
    for piece in pieces:
        shown += scanner.push(piece)
        if scanner.stopped:
            break
    assert scanner.stopped
    assert shown == "one "


def test_a_stop_string_that_never_comes_takes_nothing_away() -> None:
    scanner = StopScanner(("END", "E!"))
    shown = scanner.push("one EN")
    assert shown == "one "
    shown += scanner.push("E")
    assert shown == "one EN"
    assert shown + scanner.finish() == "one ENE"
    assert not scanner.stopped
