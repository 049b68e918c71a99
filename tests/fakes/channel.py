"""A channel that remembers what it was told, and can be away, lose answers or refuse."""

from dataclasses import dataclass, field

from healer.errors import PermanentError, TemporaryError
from healer.notify.contract import Notice


@dataclass
class FakeChannel:
    """`told` holds (incident, line number) for every line, in order of arrival."""

    channel: str = "fake"
    told: list[tuple[str, int]] = field(default_factory=list[tuple[str, int]])
    away: int = 0
    loses_answers: int = 0
    refuses: bool = False
    unsure: int = 0

    def concerns(self, notice: Notice) -> bool:
        return True

    async def notify(self, notice: Notice) -> str:
        if self.away:
            self.away -= 1
            raise TemporaryError("away")
        if self.refuses:
            raise PermanentError("channel_not_found")
        self.unsure += notice.unsure
        for entry in notice.entries:
            line = (str(entry.incident), entry.seq)
            if notice.unsure and line in self.told:
                continue
            self.told.append(line)
        if self.loses_answers:
            self.loses_answers -= 1
            raise TemporaryError("connection lost after it was sent")
        return notice.ref or f"ref-{notice.incident.id}"
