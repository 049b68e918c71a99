"""Plain values from YAML events, and where each of them stood; bounded in depth and size."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from healer.errors import Fault
from healer.model.outcome import Json
from healer.playbook.scalar import ScalarError, check_text, read_plain

MAX_DEPTH = 32
MAX_VALUES = 50_000

At = tuple[str | int, ...]
"""Where a value stands inside a document: keys and indices from the root."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A place in a file, both numbers from 1."""

    line: int = 1
    column: int = 1


class _Counted(Protocol):
    """A mark of PyYAML, which counts from 0."""

    line: int
    column: int


def mark_of(counted: _Counted | None) -> Mark:
    """The place that a mark of PyYAML stands for."""
    if counted is None:
        return Mark()
    return Mark(line=counted.line + 1, column=counted.column + 1)


class StopError(Exception):
    """Nothing after this can be understood."""


class Walker:
    """Builds values from the parser's events, with its own eye on depth and size."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.value: Json = None
        self.mark = Mark()
        self.values: dict[At, Mark] = {}
        self.keys: dict[At, Mark] = {}
        self.faults: list[Fault] = []
        self._anchors: dict[str, tuple[Json, int]] = {}
        self._count = 0

    def document(self, events: Iterator[Event]) -> None:
        """Read the one document of the stream."""
        for event in events:
            self.mark = mark_of(event.start_mark)
            if isinstance(event, StreamEndEvent):
                message = "the file is empty"
                raise StopError(message)
            if isinstance(event, DocumentStartEvent):
                break
        self.value = self._value(next(events), events, ())
        for event in events:
            if isinstance(event, DocumentStartEvent):
                self._fault("a second document: put each into a file of its own", event)
                break

    def _fault(self, message: str, event: Event) -> None:
        mark = mark_of(event.start_mark)
        self.faults.append(
            Fault(path=self.path, line=mark.line, column=mark.column, message=message)
        )

    def _value(self, event: Event, events: Iterator[Event], at: At) -> Json:
        self.mark = self.values[at] = mark_of(event.start_mark)
        self._grow(1)
        if len(at) > MAX_DEPTH:
            message = f"nested deeper than {MAX_DEPTH} levels"
            raise StopError(message)
        if getattr(event, "tag", None):
            self._fault("tags (`!…`) are not supported: write the plain value", event)
        before = self._count
        anchor: str | None = getattr(event, "anchor", None)
        match event:
            case AliasEvent():
                return self._alias(event)
            case MappingStartEvent():
                value: Json = self._mapping(events, at)
            case SequenceStartEvent():
                value = self._sequence(events, at)
            case ScalarEvent():
                value = self._scalar(event)
            case _:
                message = "not YAML that can be understood"
                raise StopError(message)
        if anchor:
            self._anchors[anchor] = (value, self._count - before + 1)
        return value

    def _grow(self, count: int) -> None:
        self._count += count
        if self._count > MAX_VALUES:
            message = f"more than {MAX_VALUES} values, aliases counted in full"
            raise StopError(message)

    def _alias(self, event: AliasEvent) -> Json:
        name = str(event.anchor)
        if name not in self._anchors:
            self._fault(f"`*{name}` names no anchor that is complete before it", event)
            return None
        value, count = self._anchors[name]
        self._grow(count)
        return value

    def _sequence(self, events: Iterator[Event], at: At) -> list[Json]:
        items: list[Json] = []
        for event in events:
            if isinstance(event, SequenceEndEvent):
                break
            items.append(self._value(event, events, (*at, len(items))))
        return items

    def _mapping(self, events: Iterator[Event], at: At) -> dict[str, Json]:
        found: dict[str, Json] = {}
        for event in events:
            if isinstance(event, MappingEndEvent):
                break
            key = self._key(event, events, at)
            here = (*at, key)
            if key in found:
                first = self.keys[here]
                self._fault(f"`{key}` stands here already, on line {first.line}", event)
                here = (*at, f"{key} (again)")
            self.keys[here] = mark_of(event.start_mark)
            value = self._value(next(events), events, here)
            found.setdefault(key, value)
        return found

    def _key(self, event: Event, events: Iterator[Event], at: At) -> str:
        if not isinstance(event, ScalarEvent):
            self._fault("a key must be a text", event)
            self._value(event, events, (*at, "(key)"))
            return "(key)"
        key = self._scalar(event)
        if key == "<<" and event.style is None:
            self._fault("merge keys (`<<`) are not supported: write the keys out", event)
        if not isinstance(key, str):
            self._fault(f'a key must be a text: write "{event.value}"', event)
        return str(event.value).encode("utf-8", "replace").decode()

    def _scalar(self, event: ScalarEvent) -> Json:
        text = str(event.value)
        try:
            check_text(text)
            return read_plain(text) if event.style is None else text
        except ScalarError as error:
            self._fault(str(error), event)
            return text.encode("utf-8", "replace").decode()
