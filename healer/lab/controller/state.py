"""Reading and writing what objects have in common: owners, readiness, conditions, times."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from healer.lab.api.termination import stamp
from healer.lab.api.value import dig, items, section
from healer.lab.contract import Cluster, Object

Now = Callable[[], datetime]


def parse_time(text: object) -> datetime | None:
    """A moment as Kubernetes writes it."""
    return datetime.fromisoformat(text).astimezone(UTC) if isinstance(text, str) else None


# ---------------------------------------------------------------------------------------- owners


def owner_reference(owner: Object) -> Object:
    """The reference that says: this one controls me."""
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def controller_of(obj: Object) -> Object | None:
    """The reference to what controls the object."""
    owners = items(obj, "metadata", "ownerReferences")
    return next((one for one in owners if one.get("controller")), None)


def owned(cluster: Cluster, resource: str, owner: Object) -> list[Object]:
    """All objects of that resource which `owner` controls."""
    uid = owner["metadata"]["uid"]
    found = cluster.list(resource, owner["metadata"]["namespace"])
    return [obj for obj in found if dig(controller_of(obj), "uid") == uid]


# ------------------------------------------------------------------------------------------ pods


def is_terminating(obj: Object) -> bool:
    """Whether it was told to end."""
    return bool(dig(obj, "metadata", "deletionTimestamp"))


def is_active(pod: Object) -> bool:
    """Whether it counts as a replica."""
    return not is_terminating(pod) and dig(pod, "status", "phase") not in {"Succeeded", "Failed"}


def is_ready(pod: Object) -> bool:
    """Whether it takes traffic, as its Ready condition says."""
    return bool(dig(condition(pod, "Ready"), "status") == "True")


def available_in(pod: Object, min_ready: int, now: datetime) -> float | None:
    """Seconds until it counts as available (0: it does now); None while it is not ready."""
    if not is_ready(pod):
        return None
    since = parse_time(dig(condition(pod, "Ready"), "lastTransitionTime"))
    if since is None or min_ready <= 0:
        return 0.0
    return max(0.0, (since + timedelta(seconds=min_ready) - now).total_seconds())


# ------------------------------------------------------------------------------------ conditions


def condition(obj: Object | None, kind: str) -> Object | None:
    """The condition of that type."""
    found = items(obj, "status", "conditions")
    return next((one for one in found if one.get("type") == kind), None)


def set_condition(
    obj: Object, kind: str, *, status: bool, reason: str, message: str, now: datetime
) -> None:
    """Write a condition; its transition time moves only when its status does."""
    body = section(obj, "status")
    found = items(body, "conditions")
    old = next((one for one in found if one.get("type") == kind), None)
    text = "True" if status else "False"
    new: Object = {"type": kind, "status": text, "reason": reason, "message": message}
    same = old is not None and old.get("status") == text
    new["lastTransitionTime"] = dig(old, "lastTransitionTime") if same else stamp(now)
    if old is None:
        body["conditions"] = [*found, new]
    else:
        body["conditions"] = [new if one is old else one for one in found]
