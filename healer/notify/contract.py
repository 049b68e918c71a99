"""What the engine asks of a channel, and what it hands over."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from healer.model.event import Entry
from healer.model.incident import Incident
from healer.model.playbook import Playbook
from healer.model.service import Service


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """All that a channel has not been told of one incident.

    `entries` are the new lines, `incident` is the state after the last of them, `ref` what the
    channel called its own record of this incident ('' the first time). `unsure`: an earlier try to
    deliver these lines may have arrived, so look before posting again.
    """

    incident: Incident
    service: Service
    playbook: Playbook | None
    entries: Sequence[Entry]
    ref: str = ""
    unsure: bool = False

    @property
    def through(self) -> int:
        """The number of the last line it tells."""
        return self.entries[-1].seq if self.entries else 0


class Notifier(Protocol):
    """One channel. TemporaryError: again later, nothing lost. PermanentError: dropped, and said."""

    @property
    def channel(self) -> str:
        """Its name in the timeline, e.g. `slack`."""
        ...

    def concerns(self, notice: Notice) -> bool:
        """Is any of it worth telling here? If not, nothing is sent and nothing is written."""
        ...

    async def notify(self, notice: Notice) -> str:
        """Deliver it once; returns the channel's name for its record of the incident."""
        ...


class Observer(Protocol):
    """Sees every entry once it is durable: the log and the metrics. It must not raise or wait."""

    def see(self, entry: Entry, incident: Incident) -> None:
        """`incident` is the state after `entry`."""
        ...
