"""kubernetes.events: what Kubernetes had to say about a workload and its pods of late."""

import re
from collections.abc import Sequence
from datetime import timedelta

from healer.check.contract import CheckContext, Kinds
from healer.check.param import Params
from healer.client.kubernetes.cluster import Kubernetes
from healer.client.kubernetes.object import Event
from healer.client.kubernetes.permission import allow
from healer.kit.clock import Clock
from healer.kit.duration import Duration, format_duration
from healer.model.effect import Permission
from healer.model.outcome import Finding

_TOLD = 20
_MADE_UP = "[bcdfghjklmnpqrstvwxz2456789]"
_SUFFIXES = {
    "ReplicaSet": re.compile(_MADE_UP + "{1,10}"),
    "Pod": re.compile(rf"{_MADE_UP}{{1,10}}-{_MADE_UP}{{5}}|[0-9]+"),
}


class EventsParams(Params):
    """`reason` as Kubernetes words it (FailedScheduling, BackOff); `since` looks back so far."""

    reason: str | None = None
    since: Duration = timedelta(hours=1)


class Events:
    """Holds if there is any.

    Evidence: count (repetitions included), warnings, reasons, messages (newest last), last.
    """

    name = "kubernetes.events"
    params = EventsParams
    evidence = Kinds(
        {
            **dict.fromkeys(("count", "warnings"), int),
            **dict.fromkeys(("reasons", "messages"), list[str]),
            "last": str,
        }
    )

    def __init__(self, kubernetes: Kubernetes, *, clock: Clock) -> None:
        self._pods = kubernetes.pods
        self._clock = clock

    def permissions(self, params: EventsParams, *, namespace: str) -> Sequence[Permission]:
        """Listing events."""
        return allow(namespace, "events", "list")

    async def look(self, params: EventsParams, ctx: CheckContext) -> Finding:
        """Read once."""
        name, oldest = ctx.target.name, self._clock.now() - params.since
        found = [
            event
            for event in await self._pods.events(ctx.target.namespace)
            if is_about(event, name)
            and (event.last_seen or oldest) >= oldest
            and params.reason in (None, event.reason)
        ]
        messages = [f"{event.reason}: {event.message}" for event in found]
        last = messages[-1] if messages else ""
        within = format_duration(params.since)
        return Finding(
            check=ctx.id,
            holds=bool(found),
            summary=f"{len(found)} events within {within}" + (f", the last {last}" if last else ""),
            evidence={
                "count": sum(event.times for event in found),
                "warnings": sum(event.times for event in found if event.type == "Warning"),
                "reasons": sorted({event.reason for event in found}),
                "messages": messages[-_TOLD:],
                "last": last,
            },
        )


def is_about(event: Event, workload: str) -> bool:
    """Is it about the workload, or about a replica set or a pod of it?

    By name, for the pod may be gone. `api-gateway` begins like `api` and is another workload, but
    the suffixes that Kubernetes makes up have no vowels.
    """
    about = event.involved_object
    if about.name == workload:
        return True
    suffix = _SUFFIXES.get(about.kind)
    head, rest = about.name[: len(workload) + 1], about.name[len(workload) + 1 :]
    return suffix is not None and head == f"{workload}-" and bool(suffix.fullmatch(rest))
