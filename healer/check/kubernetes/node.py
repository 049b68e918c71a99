"""kubernetes.nodes: are they ready, under pressure, cordoned, and how many GPUs have they?"""

from collections.abc import Sequence

from healer.check.contract import CheckContext, Kinds
from healer.check.param import Params, Selector
from healer.client.kubernetes.cluster import Kubernetes
from healer.client.kubernetes.node import Node
from healer.client.kubernetes.permission import CLUSTER, allow
from healer.model.effect import Permission
from healer.model.outcome import Evidence, Finding

_NAMES = 20


class NodesParams(Params):
    """`selector` picks some of the cluster's nodes by their labels; without it, all."""

    selector: Selector | None = None


class Nodes:
    """Holds where there is a node that is ready, takes pods, and none is under pressure.

    Evidence: total, ready (by the condition, so `NotReady` never counts), not_ready (names),
    schedulable (ready and not cordoned), cordoned (names), pressure (names), gpus (allocatable on
    ready nodes), gpu_nodes (how many have any). Nodes belong to no namespace: needs a ClusterRole.
    """

    name = "kubernetes.nodes"
    params = NodesParams
    evidence = Kinds(
        {
            **dict.fromkeys(("total", "ready", "schedulable", "gpus", "gpu_nodes"), int),
            **dict.fromkeys(("not_ready", "cordoned", "pressure"), list[str]),
        }
    )

    def __init__(self, kubernetes: Kubernetes) -> None:
        self._nodes = kubernetes.nodes

    def permissions(self, params: NodesParams, *, namespace: str) -> Sequence[Permission]:
        """Listing nodes, of the whole cluster."""
        return allow(CLUSTER, "nodes", "list")

    async def look(self, params: NodesParams, ctx: CheckContext) -> Finding:
        """Read them once."""
        found = await self._nodes.select(params.selector or "")
        usable = [node for node in found if node.ready and not node.cordoned]
        pressed = [node for node in found if node.pressures]
        return Finding(
            check=ctx.id,
            holds=bool(usable) and not pressed,
            summary=_summary(found, len(usable)),
            evidence=_evidence(found, usable, pressed),
        )


def _evidence(found: Sequence[Node], usable: Sequence[Node], pressed: Sequence[Node]) -> Evidence:
    ready = [node for node in found if node.ready]
    return {
        "total": len(found),
        "ready": len(ready),
        "not_ready": [node.name for node in found if not node.ready][:_NAMES],
        "schedulable": len(usable),
        "cordoned": [node.name for node in found if node.cordoned][:_NAMES],
        "pressure": [node.name for node in pressed][:_NAMES],
        "gpus": sum(node.gpus for node in ready),
        "gpu_nodes": sum(node.gpus > 0 for node in ready),
    }


def _summary(found: Sequence[Node], usable: int) -> str:
    gpus = sum(node.gpus for node in found if node.ready)
    first = f"{usable} of {len(found)} nodes are ready and take pods, with {gpus} GPUs"
    ill = [f"{node.name} {node.trouble}" for node in found if node.trouble]
    return f"{first}; {'; '.join(ill[:3])}" if ill else first
