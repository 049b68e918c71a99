"""The status of a Deployment: counts, Available, Progressing and its deadline."""

from datetime import datetime, timedelta

from healer.lab.api.termination import stamp
from healer.lab.api.value import clone, dig, section
from healer.lab.contract import Cluster, Object
from healer.lab.controller import rollout
from healer.lab.controller.loop import Key
from healer.lab.controller.state import condition, owned, parse_time, set_condition

_COUNTS = ("updatedReplicas", "readyReplicas", "availableReplicas")


def write(cluster: Cluster, key: Key, *, now: datetime, made: bool) -> float | None:
    """Write the status; answer in how many seconds the deadline is to be looked at."""
    found = cluster.get("deployments", *key)
    if found is None:
        return None
    counts = _counts(cluster, found)
    again: list[float] = []

    def update(it: Object) -> None:
        before = clone(it.get("status") or {})
        status = section(it, "status")
        status.update(counts)
        status["observedGeneration"] = it["metadata"]["generation"]
        _available(it, now)
        moved = made or _moved(before, status)
        left = _progressing(it, now=now, moved=moved, made=made)
        again.extend([] if left is None else [left])

    cluster.update("deployments", *key, update)
    return again[0] if again else None


def _counts(cluster: Cluster, deployment: Object) -> Object:
    sets = owned(cluster, "replicasets", deployment)
    revision = dig(deployment, "metadata", "annotations", "deployment.kubernetes.io/revision")
    new = [one for one in sets if _revision(one) == revision]

    def total(found: list[Object], key: str) -> int:
        return sum(int(dig(one, "status", key) or 0) for one in found)

    available = total(sets, "availableReplicas")
    wanted = sum(int(dig(one, "spec", "replicas") or 0) for one in sets)
    return {
        "replicas": total(sets, "replicas"),
        "updatedReplicas": total(new, "replicas"),
        "readyReplicas": total(sets, "readyReplicas"),
        "availableReplicas": available,
        "unavailableReplicas": max(0, wanted - available),
    }


def _revision(one: Object) -> str | None:
    found = dig(one, "metadata", "annotations", "deployment.kubernetes.io/revision")
    return None if found is None else str(found)


def _available(it: Object, now: datetime) -> None:
    enough = it["status"]["availableReplicas"] >= rollout.fence(it).least
    reason = "MinimumReplicasAvailable" if enough else "MinimumReplicasUnavailable"
    has = "has" if enough else "does not have"
    message = f"Deployment {has} minimum availability."
    set_condition(it, "Available", status=enough, reason=reason, message=message, now=now)


def _moved(before: Object, after: Object) -> bool:
    """More is updated, ready or available, or fewer old ones are left."""

    def count(status: Object, key: str) -> int:
        return int(status.get(key) or 0)

    def old(status: Object) -> int:
        return count(status, "replicas") - count(status, "updatedReplicas")

    return old(after) < old(before) or any(count(after, k) > count(before, k) for k in _COUNTS)


def _complete(it: Object) -> bool:
    status, wanted = it["status"], it["spec"]["replicas"]
    keys = ("updatedReplicas", "replicas", "availableReplicas")
    return all(status[key] == wanted for key in keys)


def _progressing(it: Object, *, now: datetime, moved: bool, made: bool) -> float | None:
    """Seconds left until the deadline, while the rollout goes on and may still make it."""
    name, old = it["metadata"]["name"], condition(it, "Progressing")
    span = timedelta(seconds=int(it["spec"].get("progressDeadlineSeconds") or 600))
    since = parse_time(dig(old, "lastUpdateTime")) or now
    if _complete(it):
        if dig(old, "reason") != "NewReplicaSetAvailable":
            message = f'Deployment "{name}" has successfully progressed.'
            _say(it, "NewReplicaSetAvailable", message, now)
        return None
    if moved or old is None:
        reason = "NewReplicaSetCreated" if made else "ReplicaSetUpdated"
        _say(it, reason, f'Deployment "{name}" is progressing.', now)
        return span.total_seconds() + 1
    if dig(old, "reason") in {"NewReplicaSetAvailable", "ProgressDeadlineExceeded"}:
        return None
    if now - since <= span:
        return (since + span - now).total_seconds() + 1
    message = f'Deployment "{name}" has timed out progressing.'
    _say(it, "ProgressDeadlineExceeded", message, now, status=False)
    return None


def _say(it: Object, reason: str, message: str, now: datetime, *, status: bool = True) -> None:
    set_condition(it, "Progressing", status=status, reason=reason, message=message, now=now)
    found = condition(it, "Progressing")
    if found is not None:
        found["lastUpdateTime"] = stamp(now)
