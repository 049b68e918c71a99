"""Asks a pod about its disk, and lets it take away what is old: orders out, answers in."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from healer.client.kubernetes.container import Pod
from healer.client.kubernetes.exec import Executed
from healer.errors import PermanentError, UnavailableError

PROGRAM = Path(__file__).with_name("program.py").read_bytes()
_COMMAND = (
    "python3", "-I", "-S", "-c", f"import sys; exec(sys.stdin.buffer.read({len(PROGRAM)}))",
)  # fmt: skip
_NO_PYTHON = (126, 127)


class Kind(StrEnum):
    """What may go, each by rules of its own."""

    REVISIONS = "revisions"
    LOGS = "logs"
    CHECKPOINTS = "checkpoints"


class _Answer(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


AnswerT = TypeVar("AnswerT", bound=_Answer)


class _Refusal(_Answer):
    error: str = ""


class Share(_Answer):
    """Something on the disk and the bytes it takes there."""

    name: str
    bytes: int


class Survey(_Answer):
    """How full a volume is, as df reckons it, and by what: the largest entries first."""

    used_bytes: int
    total_bytes: int
    used_share: float
    folders: tuple[Share, ...]


class Swept(_Answer):
    """What may (still) go, what went, and what could not; and how full the volume is now."""

    used_share: float
    total_bytes: int
    missing: bool
    items: tuple[Share, ...]
    gone: tuple[str, ...]
    failed: tuple[str, ...]

    @property
    def bytes(self) -> int:
        """How much room all that may go would give."""
        return sum(one.bytes for one in self.items)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What may go: `keep` of the newest stay, and what is younger than `min_age`.

    Revisions that a ref names stay whatever their age; of logs only those count that have grown
    `larger_than` so many bytes.
    """

    kind: Kind
    path: str
    volume: str
    keep: int = 0
    min_age: timedelta = timedelta(0)
    larger_than: int = 0


class Runs(Protocol):
    """Runs commands in pods."""

    async def exec(
        self,
        namespace: str,
        pod: Pod,
        *,
        command: Sequence[str],
        timeout: timedelta,
        stdin: bytes = b"",
    ) -> Executed:
        """Run one."""
        ...


class Disk:
    """The disk of one pod. Paths are absolute, in the pod."""

    def __init__(self, pods: Runs, *, namespace: str, pod: Pod) -> None:
        self._pods = pods
        self._namespace = namespace
        self._pod = pod

    async def survey(self, volume: str, *, most: int, timeout: timedelta) -> Survey:
        """How full it is, and its `most` largest entries; with 0 nothing has to be measured."""
        order = {"kind": "survey", "volume": volume, "most": most}
        return await self._ask(order, Survey, timeout)

    async def may_go(self, rules: Rules, *, timeout: timedelta) -> Swept:
        """What may go. Changes nothing."""
        return await self._ask(_order(rules), Swept, timeout)

    async def sweep(self, rules: Rules, *, until: float, timeout: timedelta) -> Swept:
        """Take it away, the oldest first, until less than that share of the volume is used."""
        return await self._ask({**_order(rules), "until": until}, Swept, timeout)

    async def _ask(
        self, order: dict[str, Any], answer: type[AnswerT], timeout: timedelta
    ) -> AnswerT:
        """The program ends itself when the time is over: nobody else could."""
        seconds = max(1, int(timeout.total_seconds()))
        done = await self._pods.exec(
            self._namespace,
            self._pod,
            command=[*_COMMAND, json.dumps({**order, "seconds": seconds})],
            timeout=timeout,
            stdin=PROGRAM,
        )
        return _understood(done, answer, where=f"pod {self._namespace}/{self._pod.name}")


def _order(rules: Rules) -> dict[str, Any]:
    return {
        "kind": rules.kind.value,
        "path": rules.path,
        "volume": rules.volume,
        "keep": rules.keep,
        "min_age": rules.min_age.total_seconds(),
        "larger_than": rules.larger_than,
    }


def _understood(done: Executed, answer: type[AnswerT], *, where: str) -> AnswerT:
    said = done.stderr.strip().splitlines()[-1:] or [""]
    if done.exit_code in _NO_PYTHON:
        message = f"{where} has no python3, which looking at its disk needs: {said[0][:200]}"
        raise PermanentError(message)
    if done.exit_code != 0:
        message = f"looking at the disk of {where} ended with {done.exit_code}: {said[0][:200]}"
        raise UnavailableError(message)
    try:
        told: object = json.loads(done.stdout)
        if refused := _Refusal.model_validate(told).error:
            message = f"the disk of {where} cannot be looked at: {refused}"
            raise PermanentError(message)
        return answer.model_validate(told)
    except (ValueError, ValidationError) as error:
        message = f"what {where} says of its disk cannot be understood"
        raise UnavailableError(message) from error
