"""Folders as parameters: absolute, plain, and below the volume that is to get room."""

from typing import Annotated

from pydantic import StringConstraints

Folder = Annotated[
    str,
    StringConstraints(
        pattern=r"^(/[A-Za-z0-9_@+=-][A-Za-z0-9._@+=-]*)+$", max_length=500, strip_whitespace=True
    ),
]
"""An absolute path of at least one folder; none of its parts is hidden, or leads up or about."""


def refuse_outside(path: str, volume: str) -> None:
    """A ValueError where a folder is not strictly below its volume."""
    if not path.startswith(f"{volume}/"):
        message = f"{path} is not below {volume}: nothing outside the volume is touched"
        raise ValueError(message)
