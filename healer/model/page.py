"""A page of a list of incidents."""

from dataclasses import dataclass

from healer.model.incident import Incident


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Some incidents, newest first. `cursor` is the next page's `before`; None at the end."""

    incidents: tuple[Incident, ...]
    cursor: int | None = None
