"""Death at every write of one and the same drill: a supervisor, and daemons that do not live long.

A life ends by SIGKILL right before its first write, the next one right after it, and so on by
turns. Where that would kill a daemon between the start of a step and its effect for ever, it is
done once; the daemon that begins the step again is killed between its effect and its end. Where
it would kill every daemon before it has answered a delivery, it is done once before that is kept
and once after: Alertmanager, which is never answered, would never tell that its alert resolved.

The first daemon does not ask for what fires but at its start, so that it dies of a delivery. Those
after it may find the alert by themselves, before Alertmanager tries again.
"""

import asyncio
from collections import Counter
from dataclasses import dataclass, field

from tests.fakes.nursery import Life, Nursery
from tests.fakes.stage import Setting


@dataclass(kw_only=True)
class Reaper:
    """`run` returns when a daemon has archived its incident; then all lives have ended."""

    births: Nursery
    setting: Setting
    lives: list[Life] = field(default_factory=list[Life])
    _begun: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def written(self) -> int:
        """Appends that reached the disk."""
        return sum(len(life.appends) for life in self.lives)

    @property
    def begun(self) -> Counter[str]:
        """How often each step was started."""
        return Counter(step for life in self.lives for step in life.begun)

    async def run(self, healed: asyncio.Event) -> None:
        """Life after life. `healed` is set once one has seen that the cure holds."""
        while not any(life.wrote("Archived") for life in self.lives):
            for written in (False, True):
                life = await self._live(written=written)
                if life.healed:
                    healed.set()

    async def listens(self) -> None:
        """Return once the first daemon does: what fires from now on is delivered to it."""
        await self._begun.wait()
        await self.lives[0].born()

    @property
    def delivered(self) -> set[bool]:
        """Was a life ended before a delivery was kept (False), and one after (True)?"""
        return {bool(life.appends) for life in self.lives if life.dies == "Delivery"}

    async def _live(self, *, written: bool) -> Life:
        life = self.births.bear(
            self.setting.config if self.lives else self.setting.once,
            environment=self.setting.environment,
            dies_at=1,
            written=written,
            spares=self.begun.keys(),
            passes=written in self.delivered,
        )
        self.lives.append(life)
        self._begun.set()
        while life.ended is None:
            await life.change()
        assert life.killed, life.log.read_text()
        return life
