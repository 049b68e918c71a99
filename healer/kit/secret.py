"""Paths and secrets as configuration names them: resolved against a folder and an environment.

A secret is named, never written: by the path of a file, or as `${NAME}` by a variable.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, PlainValidator, ValidationInfo

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_LONGEST = 64 * 1024


@dataclass(frozen=True, slots=True)
class Secret:
    """A text that nothing prints."""

    _text: str

    def reveal(self) -> str:
        """The text itself, for whoever must send it."""
        return self._text

    def __repr__(self) -> str:
        return "<secret>"

    __str__ = __repr__


@dataclass(frozen=True, slots=True)
class World:
    """What names are resolved against. Models with such fields get it as validation context.

    `secrets` false: how they are named is checked, but not whether they are there.
    """

    environ: Mapping[str, str]
    folder: Path
    secrets: bool = True


def _world(info: ValidationInfo) -> World:
    known: object = info.context
    if not isinstance(known, World):
        message = "paths and secrets need a World as the context of their validation"
        raise TypeError(message)
    return known


def _path(value: object, info: ValidationInfo) -> Path:
    """Relative to the folder of the configuration, not to wherever the process was started."""
    if not isinstance(value, str) or not value:
        message = "must be a path"
        raise ValueError(message)
    world = _world(info)
    home = world.environ.get("HOME")
    if home and value.startswith("~/"):
        return Path(home) / value[2:]
    return world.folder / value


def _secret(value: object, info: ValidationInfo) -> Secret:
    if not isinstance(value, str) or not value:
        message = "must be the path of a file that holds the secret, or ${NAME} for a variable"
        raise ValueError(message)
    if not _world(info).secrets:
        return Secret("")
    if named := _VARIABLE.fullmatch(value):
        text = _world(info).environ.get(named[1], "").strip()
        where = f"the environment variable {named[1]}"
    else:
        text, where = _content(_path(value, info)), "the file named here"
    if not text:
        message = f"{where} is empty or not there"
        raise ValueError(message)
    return Secret(text)


def _content(path: Path) -> str:
    """What a secret's file holds. Its name is not repeated: it may be a secret put in its place."""
    try:
        with path.open("rb") as file:
            content = file.read(_LONGEST + 1)
        return content.decode().strip() if len(content) <= _LONGEST else ""
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a text"
        message = f"the file named here cannot be read ({reason}): "
        message += "name a file that holds the secret, or ${NAME} for a variable"
        raise ValueError(message) from None


def _present(path: Path) -> Path:
    try:
        if path.is_file():
            return path
        reason = "there is no such file"
    except OSError as error:
        reason = str(error.strerror)
    message = f"{path}: {reason}"
    raise ValueError(message)


File = Annotated[Path, PlainValidator(_path)]
PresentFile = Annotated[File, AfterValidator(_present)]
SecretFile = Annotated[Secret, PlainValidator(_secret)]
