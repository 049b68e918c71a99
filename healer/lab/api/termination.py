"""Ending pods with grace: marked first, removed by the node once the process has ended."""

from datetime import UTC, datetime, timedelta

from healer.lab.api.value import dig
from healer.lab.contract import Cluster, Object


def stamp(at: datetime) -> str:
    """A moment as Kubernetes writes it."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def grace_of(pod: Object, wanted: int | None) -> int:
    """Seconds the pod gets: none where nothing of it runs."""
    unbound = not dig(pod, "spec", "nodeName")
    if unbound or dig(pod, "status", "phase") in {"Succeeded", "Failed"}:
        return 0
    if wanted is not None:
        return max(0, wanted)
    own = dig(pod, "spec", "terminationGracePeriodSeconds")
    return 30 if own is None else int(own)


def mark(pod: Object, *, grace: int, now: datetime) -> None:
    """Write into the pod that it is to end; of several wishes the shortest grace wins."""
    meta = pod["metadata"]
    if "deletionTimestamp" in meta and meta.get("deletionGracePeriodSeconds", 0) <= grace:
        return
    meta["deletionTimestamp"] = stamp(now + timedelta(seconds=grace))
    meta["deletionGracePeriodSeconds"] = grace


def terminate(
    cluster: Cluster, pod: Object, *, now: datetime, grace: int | None = None
) -> Object | None:
    """Let the pod end; None where it is gone at once, which is so where it has no grace."""
    meta = pod["metadata"]
    seconds = grace_of(pod, grace)
    if seconds == 0:
        cluster.delete("pods", meta["namespace"], meta["name"])
        return None
    return cluster.update(
        "pods", meta["namespace"], meta["name"], lambda it: mark(it, grace=seconds, now=now)
    )
