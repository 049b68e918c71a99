"""kubernetes.env: is a variable set in a container of a deployment, and to what?"""

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import StringConstraints

from healer.check.contract import CheckContext, Kinds
from healer.check.kubernetes.subject import deployment_of, short
from healer.check.param import Params
from healer.client.kubernetes.cluster import Kubernetes
from healer.client.kubernetes.object import Object
from healer.client.kubernetes.permission import allow
from healer.model.effect import Permission
from healer.model.outcome import Evidence, Finding


class EnvParams(Params):
    """Which variable. Nothing secret: its value stands in the timeline."""

    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,252}$")]


class Env:
    """Holds where a container has it. Evidence: set, value ('' where it comes from elsewhere)."""

    name = "kubernetes.env"
    params = EnvParams
    evidence = Kinds({"set": bool, "value": str})

    def __init__(self, kubernetes: Kubernetes) -> None:
        self._workloads = kubernetes.workloads

    def permissions(self, params: EnvParams, *, namespace: str) -> Sequence[Permission]:
        """Reading the deployment."""
        return allow(namespace, "deployments", "get")

    async def look(self, params: EnvParams, ctx: CheckContext) -> Finding:
        """Read the template of its pods."""
        found = await self._workloads.get(*deployment_of(ctx))
        spec: Any = found.spec.template.get("spec") or {}
        containers: list[Object] = spec.get("containers") or []
        mine = [
            each for one in containers for each in _variables(one) if each["name"] == params.name
        ]
        value = str(mine[0].get("value") or "") if mine else ""
        summary = f"{params.name} is {short(repr(value)) if mine else 'not set'}"
        evidence: Evidence = {"set": bool(mine), "value": value}
        return Finding(check=ctx.id, holds=bool(mine), summary=summary, evidence=evidence)


def _variables(container: Object) -> list[Object]:
    found: list[Object] = container.get("env") or []
    return found
