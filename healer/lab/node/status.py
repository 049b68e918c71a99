"""What a kubelet writes into a pod's status. Pure: from what is known to the object."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from healer.lab.contract import Object
from healer.lab.node.field import entries, mapping, text

Phase = Literal["Pending", "Running", "Succeeded", "Failed"]


@dataclass(slots=True, kw_only=True)
class ContainerView:
    """What the node knows of one container."""

    name: str
    image: str
    state: Object = field(default_factory=lambda: waiting("ContainerCreating"))
    last: Object = field(default_factory=dict[str, object])
    restarts: int = 0
    started: bool = False
    ready: bool = False
    identity: str = ""

    def status(self) -> Object:
        """The entry in `containerStatuses`."""
        return {
            "name": self.name,
            "image": self.image,
            "imageID": f"lab://{self.image}",
            "containerID": self.identity,
            "ready": self.ready,
            "started": self.started,
            "restartCount": self.restarts,
            "state": self.state,
            "lastState": self.last,
        }


@dataclass(slots=True, kw_only=True)
class PodView:
    """What the node knows of one pod."""

    address: str = ""
    host: str = "127.0.0.1"
    phase: Phase = "Pending"
    start: str = ""
    initialized: bool = False
    container: ContainerView
    init: list[ContainerView] = field(default_factory=list[ContainerView])


def now() -> str:
    """The time as Kubernetes writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def waiting(reason: str, message: str = "") -> Object:
    """The state of a container that does not run yet, or not for a while."""
    return {"waiting": {"reason": reason} | ({"message": message} if message else {})}


def running(since: str) -> Object:
    """The state of a container that runs."""
    return {"running": {"startedAt": since}}


def terminated(
    code: int, *, started: str, identity: str, reason: str = "", message: str = ""
) -> Object:
    """The state of a container that ended; `code` is -n for signal n."""
    found: Object = {
        "exitCode": code if code >= 0 else 128 - code,
        "reason": reason or ("Error" if code else "Completed"),
        "startedAt": started,
        "finishedAt": now(),
        "containerID": identity,
    }
    if code < 0:
        found["signal"] = -code
    if message:
        found["message"] = message
    return {"terminated": found}


def write(pod: Object, view: PodView) -> None:
    """Bring a pod's status up to date, keeping what others wrote there."""
    status = mapping(pod, "status")
    pod["status"] = status | {
        "phase": view.phase,
        "hostIP": view.host,
        "hostIPs": [{"ip": view.host}],
        "startTime": view.start,
        "qosClass": _quality(pod),
        "conditions": _conditions(pod, view),
        "containerStatuses": [view.container.status()],
    }
    if view.address:
        pod["status"] |= {"podIP": view.address, "podIPs": [{"ip": view.address}]}
    if view.init:
        pod["status"]["initContainerStatuses"] = [init.status() for init in view.init]


def _conditions(pod: Object, view: PodView) -> list[Object]:
    reason = "" if view.container.ready else "ContainersNotReady"
    message = f"containers with unready status: [{view.container.name}]" if reason else ""
    if view.phase == "Succeeded":
        reason, message = "PodCompleted", ""
    facts = {
        "PodReadyToStartContainers": (bool(view.address), "", ""),
        "Initialized": (
            view.initialized,
            "" if view.initialized else "ContainersNotInitialized",
            "",
        ),
        "Ready": (view.container.ready, reason, message),
        "ContainersReady": (view.container.ready, reason, message),
        "PodScheduled": (True, "", ""),
    }
    old = {item["type"]: item for item in entries(pod, "status", "conditions")}
    new = {name: _condition(name, *fact, old.get(name, {})) for name, fact in facts.items()}
    return list((old | new).values())


def _condition(name: str, holds: bool, reason: str, message: str, old: Object) -> Object:  # noqa: FBT001 a row of the table above
    status = "True" if holds else "False"
    since = text(old, "lastTransitionTime") if old.get("status") == status else ""
    found: Object = {
        "type": name,
        "status": status,
        "lastProbeTime": None,
        "lastTransitionTime": since or now(),
    }
    return found | {k: v for k, v in (("reason", reason), ("message", message)) if v}


def _quality(pod: Object) -> str:
    """The class that decides who is evicted first."""
    containers = entries(pod, "spec", "containers")
    limits = [mapping(item, "resources", "limits") for item in containers]
    requests = [mapping(item, "resources", "requests") for item in containers]
    if not any(limits) and not any(requests):
        return "BestEffort"
    exact = all(
        limit.keys() >= {"cpu", "memory"} and all(limit[k] == v for k, v in request.items())
        for limit, request in zip(limits, requests, strict=True)
    )
    return "Guaranteed" if exact else "Burstable"
