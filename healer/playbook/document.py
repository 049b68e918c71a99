"""YAML with locations: plain values, and for each the line and column it stands at.

Stricter than YAML on purpose: one document, text keys once each, no tags, no merge keys, bounded
size, depth and expansion. It knows nothing of playbooks.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from healer.errors import Fault
from healer.model.outcome import Json
from healer.playbook.compose import At, Mark, StopError, Walker, mark_of

MAX_BYTES = 1 << 20

_PLAIN_WORDS = {
    r"found character '\t' that cannot start any token": "a tab cannot indent: use spaces",
    "mapping values are not allowed here": "`: ` where no key can stand: put the text in quotes, "
    "or look at the line before",
    "could not find expected ':'": "a key without `:` above this line",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """What was read. `broken`: there is no value to look at, only faults."""

    path: str
    value: Json = None
    values: Mapping[At, Mark] = field(default_factory=dict[At, Mark])
    keys: Mapping[At, Mark] = field(default_factory=dict[At, Mark])
    faults: tuple[Fault, ...] = ()
    broken: bool = False

    def fault(self, at: At, message: str, *, key: bool = False) -> Fault:
        """A fault at the value (or at its key), or at the nearest thing around it."""
        mark = self.keys.get(at) if key else None
        while mark is None and at:
            mark = self.values.get(at)
            at = at[:-1]
        mark = mark or self.values.get((), Mark())
        return Fault(path=self.path, line=mark.line, column=mark.column, message=message)

    def rows(self, at: At) -> Iterator[tuple[At, Mapping[str, Json]]]:
        """The mappings in the list at `at`, and where each stands; none where that is no list."""
        rows = self.sub(at)
        for index, row in enumerate(rows if isinstance(rows, list) else ()):
            if isinstance(row, Mapping):
                yield (*at, index), row

    def sub(self, at: At) -> Json:
        """The value at `at`; None where there is none."""
        value = self.value
        for part in at:
            match value, part:
                case dict(), str():
                    value = value.get(part)
                case list(), int() if part < len(value):
                    value = value[part]
                case _:
                    return None
        return value


def read(path: Path) -> Document:
    """The document in a file; whatever is wrong with the file itself is a fault, too."""
    try:
        if path.is_dir():
            next(path.iterdir(), None)  # says why where it may not be looked into
        if not path.is_file():
            return _broken(str(path), "not a plain file" if path.exists() else "no such file")
        with path.open("rb") as file:
            source = file.read(MAX_BYTES + 1)
    except OSError as error:
        return _broken(str(path), f"cannot be read: {error.strerror or error}")
    return parse(source, path=str(path))


def parse(source: bytes, *, path: str) -> Document:
    """The document in `source`; `path` is only what its faults call it."""
    if len(source) > MAX_BYTES:
        return _broken(path, f"larger than {MAX_BYTES >> 20} MiB: split it into several files")
    try:
        text = source.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        mark = _position(source[: error.start].decode("utf-8", "replace"))
        return _broken(path, f"not UTF-8: {error.reason}", mark)
    walker = Walker(path)
    stopped = _walk(walker, text)
    return Document(
        path=path,
        value=None if stopped else walker.value,
        values=walker.values,
        keys=walker.keys,
        faults=(*walker.faults, *stopped),
        broken=bool(stopped),
    )


def _walk(walker: Walker, text: str) -> tuple[Fault, ...]:
    """Read it all; the fault that stopped the reading, if one did."""
    try:
        walker.document(yaml.parse(text, Loader=yaml.SafeLoader))
    except yaml.MarkedYAMLError as error:
        place = error.problem_mark or error.context_mark
        mark = mark_of(place) if place else walker.mark
        message = _in_words(error)
    except yaml.reader.ReaderError as error:
        mark = _position(text[: error.position])
        message = f"the character U+{ord(text[error.position]):04X} is not allowed in YAML"
    except (StopError, yaml.YAMLError) as error:
        mark, message = walker.mark, str(error)
    except (ValueError, OverflowError):  # from the scanner, on escapes that name no character
        mark, message = walker.mark, "an escape that stands for no character"
    else:
        return ()
    return (_fault(walker.path, message, mark),)


def _broken(path: str, message: str, mark: Mark | None = None) -> Document:
    return Document(path=path, faults=(_fault(path, message, mark or Mark()),), broken=True)


def _fault(path: str, message: str, mark: Mark) -> Fault:
    return Fault(path=path, line=mark.line, column=mark.column, message=message)


def _position(before: str) -> Mark:
    return Mark(line=before.count("\n") + 1, column=len(before) - before.rfind("\n"))


def _in_words(error: yaml.MarkedYAMLError) -> str:
    problem = str(error.problem or "")
    if problem in _PLAIN_WORDS:
        return _PLAIN_WORDS[problem]
    parts = (str(part) for part in (error.context, problem) if part)
    begun = f" (begun on line {error.context_mark.line + 1})" if error.context_mark else ""
    return f"not YAML: {', '.join(parts)}{begun}"
