"""The JSON shapes of completions and chat completions, whole and streamed."""

import time
from dataclasses import dataclass, field
from typing import Protocol
from uuid import uuid4

from inference.sequence import Finish


class Shape(Protocol):
    """One endpoint's way of putting text into JSON."""

    @property
    def operation(self) -> str:
        """What is done, as OpenTelemetry's conventions for generative AI name it."""
        ...

    def whole(self, text: str, finish: Finish, usage: dict[str, int]) -> dict[str, object]:
        """The answer at once."""
        ...

    def chunk(self, text: str, finish: Finish | None, *, first: bool) -> dict[str, object]:
        """One event of a stream."""
        ...

    def ending(self, usage: dict[str, int]) -> dict[str, object]:
        """The event with the usage, after the last text."""
        ...


def _now() -> int:
    return int(time.time())


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletionShape:
    """/v1/completions."""

    model: str
    id: str = field(default_factory=lambda: f"cmpl-{uuid4().hex}")
    created: int = field(default_factory=_now)

    @property
    def operation(self) -> str:
        """A text goes on."""
        return "text_completion"

    def whole(self, text: str, finish: Finish, usage: dict[str, int]) -> dict[str, object]:
        """The answer at once."""
        return {**self.chunk(text, finish, first=True), "usage": usage}

    def chunk(self, text: str, finish: Finish | None, *, first: bool) -> dict[str, object]:
        """One event of a stream; the first looks like the others here."""
        del first
        choice: dict[str, object] = {
            "index": 0,
            "text": text,
            "logprobs": None,
            "finish_reason": finish,
        }
        return self._envelope([choice])

    def ending(self, usage: dict[str, int]) -> dict[str, object]:
        """The event with the usage."""
        return {**self._envelope([]), "usage": usage}

    def _envelope(self, choices: list[dict[str, object]]) -> dict[str, object]:
        return {
            "id": self.id,
            "object": "text_completion",
            "created": self.created,
            "model": self.model,
            "choices": choices,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatShape:
    """/v1/chat/completions."""

    model: str
    id: str = field(default_factory=lambda: f"chatcmpl-{uuid4().hex}")
    created: int = field(default_factory=_now)

    @property
    def operation(self) -> str:
        """A conversation goes on."""
        return "chat"

    def whole(self, text: str, finish: Finish, usage: dict[str, int]) -> dict[str, object]:
        """The answer at once."""
        message = {"role": "assistant", "content": text}
        choice: dict[str, object] = {
            "index": 0,
            "message": message,
            "logprobs": None,
            "finish_reason": finish,
        }
        return {**self._envelope("chat.completion", [choice]), "usage": usage}

    def chunk(self, text: str, finish: Finish | None, *, first: bool) -> dict[str, object]:
        """One event of a stream; the first names the role."""
        delta = {"role": "assistant", "content": text} if first else {"content": text}
        choice: dict[str, object] = {
            "index": 0,
            "delta": delta,
            "logprobs": None,
            "finish_reason": finish,
        }
        return self._envelope("chat.completion.chunk", [choice])

    def ending(self, usage: dict[str, int]) -> dict[str, object]:
        """The event with the usage."""
        return {**self._envelope("chat.completion.chunk", []), "usage": usage}

    def _envelope(self, kind: str, choices: list[dict[str, object]]) -> dict[str, object]:
        return {
            "id": self.id,
            "object": kind,
            "created": self.created,
            "model": self.model,
            "choices": choices,
        }
