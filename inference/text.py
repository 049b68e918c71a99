"""Words and tokens: encoding prompts, chat templates, and text that streams out token by token.

A token may be half a character and a stop string may be half there: both are held back until
it is clear.
"""

from typing import Protocol


class Tokenizer(Protocol):
    """What is needed of a tokenizer."""

    def encode(self, text: str) -> list[int]:
        """Tokens of a text."""
        ...

    def decode(self, tokens: list[int]) -> str:
        """Text of tokens, without special ones."""
        ...

    def chat(self, messages: list[dict[str, str]]) -> list[int]:
        """Tokens of a conversation, ready for the assistant's turn; ValueError if it cannot be."""
        ...


_UNFINISHED = "\ufffd"


class Detokenizer:
    """Text as it grows; yields only what will not change any more."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._tokens: list[int] = []
        self._start = 0
        self._read = 0

    def push(self, token: int) -> str:
        """The text that this token made certain."""
        self._tokens.append(token)
        before, now = self._window()
        # A byte that is no character yet shows as U+FFFD; no character takes more than four.
        if now.endswith(_UNFINISHED) and len(self._tokens) - self._read < 4:
            return ""
        self._start, self._read = self._read, len(self._tokens)
        return now[len(before) :]

    def finish(self) -> str:
        """What was still held back."""
        before, now = self._window()
        self._start = self._read = len(self._tokens)
        return now[len(before) :]

    def _window(self) -> tuple[str, str]:
        before = self._tokenizer.decode(self._tokens[self._start : self._read])
        return before, self._tokenizer.decode(self._tokens[self._start :])


class StopScanner:
    """Lets text through up to the first stop string, holding back what may become one."""

    def __init__(self, stops: tuple[str, ...]) -> None:
        self._stops = stops
        self._held = ""
        self.stopped = False

    def push(self, text: str) -> str:
        """The part that may be shown; `stopped` turns true when a stop string came."""
        if not self._stops:
            return text
        self._held += text
        found = [at for stop in self._stops if (at := self._held.find(stop)) >= 0]
        if found:
            self.stopped = True
            shown, self._held = self._held[: min(found)], ""  # nothing is left to finish with
            return shown
        keep = max(self._overlap(stop) for stop in self._stops)
        cut = len(self._held) - keep
        shown, self._held = self._held[:cut], self._held[cut:]
        return shown

    def finish(self) -> str:
        """What was held back for a stop string that never came."""
        shown, self._held = self._held, ""
        return shown

    def _overlap(self, stop: str) -> int:
        """Length of the longest end of the text that begins the stop string."""
        longest = min(len(stop) - 1, len(self._held))
        return next((n for n in range(longest, 0, -1) if self._held.endswith(stop[:n])), 0)
