"""kubernetes.autoscaler: may a workload get more replicas, and does its autoscaler see anything."""

from collections.abc import Sequence

from healer.check.contract import CheckContext, Kinds
from healer.check.kubernetes.subject import deployment_of, short
from healer.check.param import ObjectName, Params
from healer.client.kubernetes.cluster import Kubernetes
from healer.client.kubernetes.object import Autoscaler, Deployment
from healer.client.kubernetes.permission import allow
from healer.model.effect import Permission
from healer.model.outcome import Evidence, Finding


class AutoscalerParams(Params):
    """`name` is another deployment of the target's namespace; without it, the target."""

    name: ObjectName | None = None


class AutoscalerState:
    """Holds where there is one that is below its maximum.

    Evidence: exists, name, min, max, current, desired (all 0 without one), at_max (it gives no
    replica more), able (to scale its target), sees (its metrics), trouble (in its own words).
    """

    name = "kubernetes.autoscaler"
    params = AutoscalerParams
    evidence = Kinds(
        {
            **dict.fromkeys(("exists", "at_max", "able", "sees"), bool),
            **dict.fromkeys(("min", "max", "current", "desired"), int),
            **dict.fromkeys(("name", "trouble"), str),
        }
    )

    def __init__(self, kubernetes: Kubernetes) -> None:
        self._workloads = kubernetes.workloads

    def permissions(self, params: AutoscalerParams, *, namespace: str) -> Sequence[Permission]:
        """Reading the deployment, and finding its autoscaler."""
        return (
            *allow(namespace, "deployments", "get"),
            *allow(namespace, "horizontalpodautoscalers", "list"),
        )

    async def look(self, params: AutoscalerParams, ctx: CheckContext) -> Finding:
        """Read both: its status is written a while after its decision."""
        namespace, name = deployment_of(ctx, params.name)
        deployment = await self._workloads.get(namespace, name)
        ruler = await self._workloads.autoscaler_of(namespace, name)
        if ruler is None:
            summary = f"no autoscaler rules {namespace}/{name}"
            return Finding(check=ctx.id, holds=False, summary=summary, evidence=_NONE)
        found = _evidence(deployment, ruler)
        return Finding(
            check=ctx.id,
            holds=not found["at_max"],
            summary=_summary(deployment, ruler, found),
            evidence=found,
        )


_NONE: Evidence = {
    "exists": False,
    "name": "",
    **dict.fromkeys(("min", "max", "current", "desired"), 0),
    "at_max": False,
    "able": False,
    "sees": False,
    "trouble": "",
}


def _evidence(deployment: Deployment, ruler: Autoscaler) -> Evidence:
    spec, status = ruler.spec, ruler.status
    refused = {one.type: one for one in status.conditions if one.status == "False"}
    troubles = [refused[kind] for kind in ("AbleToScale", "ScalingActive") if kind in refused]
    return {
        "exists": True,
        "name": ruler.metadata.name,
        "min": spec.min_replicas,
        "max": spec.max_replicas,
        "current": status.current_replicas,
        "desired": status.desired_replicas,
        "at_max": max(deployment.spec.replicas, status.desired_replicas) >= spec.max_replicas,
        "able": "AbleToScale" not in refused,
        "sees": "ScalingActive" not in refused,
        "trouble": short("; ".join(f"{one.reason}: {one.message}" for one in troubles)),
    }


def _summary(deployment: Deployment, ruler: Autoscaler, found: Evidence) -> str:
    spec = ruler.spec
    limit = ", which is its maximum" if found["at_max"] else ""
    trouble = f"; {found['trouble']}" if found["trouble"] else ""
    return (
        f"autoscaler {ruler.metadata.name} keeps between {spec.min_replicas} and "
        f"{spec.max_replicas} replicas; {deployment.spec.replicas} are wanted{limit}{trouble}"
    )
