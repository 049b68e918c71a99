"""What must hold between lines: numbers without gaps, one open incident per key. No I/O.

Every adapter asks it before it writes, so all of them refuse the same drafts in the same words.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from healer.errors import ConflictError, TimelineError
from healer.model.event import Closed, Draft, IncidentId, IncidentKey, Opened


def check(drafts: Iterable[Draft]) -> None:
    """What is wrong with a draft whatever was written before; TimelineError says it."""
    for draft in drafts:
        if not (draft.incident and draft.incident.isprintable()):
            message = f"an incident's name is a printable text, not {draft.incident!r}"
            raise TimelineError(message)
        if draft.at.tzinfo is None:
            message = f"incident {draft.incident}: the time of a line needs a time zone: {draft.at}"
            raise TimelineError(message)
        if draft.after != 0 and isinstance(draft.event, Opened):
            message = f"incident {draft.incident}: Opened can only be line 1, not {draft.after + 1}"
            raise TimelineError(message)


@dataclass(slots=True)
class Ledger:
    """The last number of each incident, and who holds each key. It must know all it is asked of."""

    heads: dict[IncidentId, int] = field(default_factory=dict[IncidentId, int])
    holders: dict[IncidentKey, IncidentId] = field(default_factory=dict[IncidentKey, IncidentId])
    keys: dict[IncidentId, IncidentKey] = field(default_factory=dict[IncidentId, IncidentKey])

    @classmethod
    def of(
        cls, heads: Iterable[tuple[IncidentId, int]], held: Mapping[IncidentKey, IncidentId]
    ) -> "Ledger":
        """A ledger that begins with what is written already."""
        keys = {incident: key for key, incident in held.items()}
        return cls(heads=dict(heads), holders=dict(held), keys=keys)

    def admit(self, drafts: Sequence[Draft]) -> None:
        """Take in all drafts, or raise and stay as it was."""
        if len(drafts) == 1:
            self._admit(drafts[0])
            return
        before = Ledger(heads=self.heads.copy(), holders=self.holders.copy(), keys=self.keys.copy())
        try:
            for draft in drafts:
                self._admit(draft)
        except TimelineError:
            self.heads, self.holders, self.keys = before.heads, before.holders, before.keys
            raise

    def _admit(self, draft: Draft) -> None:
        head = self.heads.get(draft.incident, 0)
        if draft.after != head:
            message = (
                f"incident {draft.incident}: its last entry is number {head}, not {draft.after}"
            )
            raise ConflictError(message)
        match draft.event:
            case Opened(key=key):
                self._open(draft, key)
            case Closed():
                self._close(draft.incident)
            case _:
                pass
        self.heads[draft.incident] = head + 1

    def _open(self, draft: Draft, key: IncidentKey) -> None:
        holder = self.holders.get(key)
        if holder is not None:
            message = f"incident {draft.incident}: {holder} is open with the same key {key}"
            raise ConflictError(message)
        self.holders[key] = draft.incident
        self.keys[draft.incident] = key

    def _close(self, incident: IncidentId) -> None:
        key = self.keys.pop(incident, None)
        if key is not None:
            del self.holders[key]
