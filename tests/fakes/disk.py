"""A disk that is too full, with a check that looks at it and an action that frees it.

The smallest world in which a remediation makes sense; it counts every effect upon it.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from pydantic import BaseModel, ConfigDict

from healer.action.contract import StepContext, Undo
from healer.check.contract import CheckContext, Kinds
from healer.errors import PermanentError, TemporaryError
from healer.guard.contract import Plan
from healer.model.effect import Effect, Permission
from healer.model.outcome import Decision, Finding, Outcome, Result, Verdict


class Nothing(BaseModel):
    model_config = ConfigDict(extra="forbid")


class FreeParams(BaseModel):
    model_config = ConfigDict(extra="forbid")

    amount: float
    key: str = ""


@dataclass
class Disk:
    """`free` in GB. `effects` holds the key of every change, in order."""

    free: float = 5.0
    cures: float = 50.0
    effects: list[str] = field(default_factory=list[str])
    looks: int = 0
    away: int = 0
    fail: list[Exception] = field(default_factory=list[Exception])
    prepared: list[bool] = field(default_factory=list[bool])
    """For each preparation: were the parameters final already?"""
    takes: float = 0.0
    """Seconds until an effect happens."""
    silent: bool = False
    """Whether it refuses to tell, after a crash, what came of a step."""

    faults: dict[str, Exception] = field(default_factory=dict[str, Exception])
    """What nobody foresaw, by where it is raised: look, prepare or settle."""

    def stumble(self, where: str) -> None:
        if fault := self.faults.get(where):
            raise fault

    def look(self) -> float:
        self.looks += 1
        self.stumble("look")
        if self.away:
            self.away -= 1
            raise TemporaryError("the disk does not answer")
        return self.free


class FreeCheck:
    name = "disk.free"
    params = Nothing
    evidence = Kinds({"value": float})

    def __init__(self, disk: Disk) -> None:
        self._disk = disk

    def permissions(self, params: Nothing, *, namespace: str) -> Sequence[Permission]:
        return ()

    async def look(self, params: Nothing, ctx: CheckContext) -> Finding:
        free = self._disk.look()
        return Finding(
            check=ctx.id, holds=True, summary=f"{free:g} GB free", evidence={"value": free}
        )


class FreeAction:
    """Adds free space. `effect` and what happens on the way are the disk's."""

    name = "disk.free"
    params = FreeParams

    def __init__(self, disk: Disk, effect: Effect = Effect.REVERSIBLE) -> None:
        self._disk = disk
        self._effect = effect

    @property
    def effect(self) -> Effect:
        return self._effect

    def permissions(self, params: FreeParams, *, namespace: str) -> Sequence[Permission]:
        return ()

    async def prepare(self, params: FreeParams, ctx: StepContext) -> FreeParams:
        self._disk.stumble("prepare")
        self._disk.prepared.append(bool(params.key))
        return params.model_copy(update={"key": params.key or ctx.key})

    async def run(self, params: FreeParams, ctx: StepContext) -> Outcome:
        if ctx.dry_run:
            return Outcome(result=Result.SKIPPED, summary=f"would free {params.amount:g} GB")
        if self._disk.takes:
            await asyncio.sleep(self._disk.takes)
        if self._disk.fail:
            raise self._disk.fail.pop(0)
        self._disk.effects.append(params.key)
        self._disk.free += self._disk.cures if params.amount > 0 else params.amount
        return Outcome(result=Result.SUCCEEDED, summary="freed", evidence={"free": self._disk.free})

    async def settle(self, params: FreeParams, ctx: StepContext) -> Outcome | None:
        self._disk.stumble("settle")
        if self._disk.silent:
            return None
        if params.key in self._disk.effects:
            return Outcome(result=Result.SUCCEEDED, summary="freed, as the disk tells")
        return Outcome(result=Result.FAILED, summary="not done")

    def undo(self, params: FreeParams, outcome: Outcome) -> Undo | None:
        reverse = FreeParams(amount=-params.amount, key=f"{params.key}.undo")
        return Undo(action=self.name, params=reverse)


class WordParams(BaseModel):
    model_config = ConfigDict(extra="forbid")


@dataclass
class FakeGuard:
    """Says what it is told to say."""

    name: str = "fake"
    params: type[WordParams] = WordParams
    says: list[Decision] = field(default_factory=list[Decision])
    breaks: bool = False
    asked: list[str] = field(default_factory=list[str])

    async def judge(self, params: WordParams, plan: Plan, *, now: datetime) -> Verdict:
        self.asked.append(plan.step.id if plan.step else "run")
        if self.breaks:
            raise PermanentError("the guard is broken")
        decision = self.says.pop(0) if self.says else Decision.ALLOW
        return Verdict(guard=self.name, decision=decision, reason=f"told to {decision.value}")
