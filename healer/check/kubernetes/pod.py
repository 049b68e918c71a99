"""kubernetes.pods: how many there are, how they do, and what is wrong with those that do not."""

import re
from collections.abc import Sequence
from datetime import datetime

from healer.check.contract import CheckContext, Kinds
from healer.check.kubernetes.subject import selector_of, short
from healer.check.param import Params, Selector
from healer.client.kubernetes.cluster import Kubernetes
from healer.client.kubernetes.container import Pod, crashing
from healer.client.kubernetes.permission import allow
from healer.kit.clock import Clock
from healer.model.effect import Permission
from healer.model.outcome import Evidence, Finding

_ENDED = ("Succeeded", "Failed")
_NAMES = 100
_LACKING = re.compile(r"Insufficient ([\w./-]*\w)")


class PodParams(Params):
    """`selector` picks other pods than the service's, in the target's namespace."""

    selector: Selector | None = None


class PodState:
    """Evidence: total, ready, starting (not ready, and its startup probe has not passed yet; one
    without such a probe counts too), pending, unschedulable, lacking (what no node has enough of,
    as the scheduler names it: `nvidia.com/gpu`), crash_looping, crashing (one crash-loops, or every
    one crashed and none of them is ready), oom_killed, image_pull, restarts, newest_age_seconds,
    names, not_ready (names), trouble (the first, in words), leaving, ended.

    A pod that is being deleted or has ended counts in `leaving` or `ended` and nowhere else; ready
    is by the pod's condition. `newest_age_seconds` is null without pods. Holds where all are ready.
    """

    name = "kubernetes.pods"
    params = PodParams
    evidence = Kinds(
        {
            **dict.fromkeys(("total", "ready", "starting", "pending"), int),
            **dict.fromkeys(("crash_looping", "oom_killed"), int),
            **dict.fromkeys(("unschedulable", "image_pull", "restarts", "leaving", "ended"), int),
            **dict.fromkeys(("names", "not_ready", "lacking"), list[str]),
            "crashing": bool,
            "newest_age_seconds": float | None,
            "trouble": str,
        }
    )

    def __init__(self, kubernetes: Kubernetes, *, clock: Clock) -> None:
        self._pods = kubernetes.pods
        self._clock = clock

    def permissions(self, params: PodParams, *, namespace: str) -> Sequence[Permission]:
        """Listing pods."""
        return allow(namespace, "pods", "list")

    async def look(self, params: PodParams, ctx: CheckContext) -> Finding:
        """Read them once. No pods at all is an answer, too."""
        selector = selector_of(ctx, params.selector)
        found = await self._pods.select(ctx.target.namespace, selector)
        seen = _evidence(found, now=self._clock.now())
        troubled = [pod for pod in _living(found) if not pod.ready]
        aside = f": {seen['trouble']}" if troubled else ""
        return Finding(
            check=ctx.id,
            holds=bool(_living(found)) and not troubled,
            summary=f"{seen['ready']} of {seen['total']} pods ({selector}) are ready{aside}",
            evidence=seen,
        )


def _living(found: Sequence[Pod]) -> list[Pod]:
    return [pod for pod in found if not pod.leaving and pod.status.phase not in _ENDED]


def _evidence(found: Sequence[Pod], *, now: datetime) -> Evidence:
    pods = _living(found)
    births = [pod.metadata.creation_timestamp for pod in pods]
    newest = max((one for one in births if one), default=None)
    sick = [pod for pod in pods if not pod.ready]
    leaving = sum(pod.leaving for pod in found)
    return {
        "total": len(pods),
        "ready": len(pods) - len(sick),
        "starting": sum(pod.starting for pod in pods),
        "pending": sum(pod.status.phase == "Pending" for pod in pods),
        "unschedulable": sum(bool(pod.unschedulable) for pod in pods),
        "lacking": sorted({name for pod in pods for name in _LACKING.findall(pod.unschedulable)}),
        "crash_looping": sum(pod.crash_looping for pod in pods),
        "crashing": crashing(pods),
        "oom_killed": sum(pod.oom_killed for pod in pods),
        "image_pull": sum(pod.image_missing for pod in pods),
        "restarts": sum(pod.restarts for pod in pods),
        "newest_age_seconds": max(0.0, (now - newest).total_seconds()) if newest else None,
        "names": [pod.name for pod in pods[:_NAMES]],
        "not_ready": [pod.name for pod in sick[:_NAMES]],
        "trouble": short(f"{sick[0].name}: {sick[0].trouble}") if sick else "",
        "leaving": leaving,
        "ended": len(found) - len(pods) - leaving,
    }
