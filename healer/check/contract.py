"""What the engine asks of a check."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Protocol, TypeVar

from pydantic import BaseModel

from healer.model.alert import Alert
from healer.model.effect import Permission
from healer.model.outcome import Finding
from healer.model.service import Service, Target

ParamsT = TypeVar("ParamsT", bound=BaseModel)
Kinds = MappingProxyType[str, Any]
"""The names of the evidence, and of which type each value is: `{"value": float}`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckContext:
    """For whom it looks. `id` is what the playbook calls this check: the finding carries it."""

    id: str
    service: Service
    target: Target
    alerts: tuple[Alert, ...] = ()


class Check(Protocol[ParamsT]):
    """One question. The evidence is flat and typed: conditions read it as `checks.<id>.<name>`."""

    @property
    def name(self) -> str:
        """As playbooks write it, e.g. `prometheus.query`."""
        ...

    @property
    def params(self) -> type[ParamsT]:
        """The model of its parameters."""
        ...

    @property
    def evidence(self) -> Mapping[str, Any]:
        """What its findings hold: the loader refuses conditions that name anything else."""
        ...

    def permissions(self, params: ParamsT, *, namespace: str) -> Sequence[Permission]:
        """The rights it needs in the Kubernetes API."""
        ...

    async def look(self, params: ParamsT, ctx: CheckContext) -> Finding:
        """What is seen now. TemporaryError or PermanentError where it cannot look."""
        ...
