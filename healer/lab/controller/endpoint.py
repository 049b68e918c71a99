"""Endpoints: the addresses of the ready pods behind each Service, and of those not ready yet."""

from collections.abc import Iterable
from dataclasses import dataclass

from healer.lab.api.selector import match_map
from healer.lab.api.store import reference
from healer.lab.api.value import dig, fields, items, labels
from healer.lab.contract import Change, Cluster, Object
from healer.lab.controller.loop import Controller, Key, itself, key_of, run
from healer.lab.controller.state import is_active, is_ready, owner_reference

Ports = tuple[tuple[str, int, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoints:
    """Reconciles one Service at a time."""

    cluster: Cluster

    async def run(self) -> None:
        """For ever."""
        watches = {"services": itself, "pods": self._behind}
        await run(
            self.cluster, Controller(name="endpoints", watches=watches, reconcile=self.reconcile)
        )

    async def reconcile(self, key: Key) -> float | None:
        """Write the Endpoints of the Service."""
        service = self.cluster.get("services", *key)
        selector = fields(service, "spec", "selector")
        if service is None or not selector:
            return None
        chosen = match_map(selector)
        pods = [pod for pod in self.cluster.list("pods", key[0]) if chosen(labels(pod))]
        subsets = _subsets(service, [pod for pod in pods if is_active(pod)])

        def write(it: Object) -> None:
            it["subsets"] = subsets

        if self.cluster.update("endpoints", *key, write) is None:
            self.cluster.create(
                "endpoints",
                {
                    "metadata": {
                        "name": key[1],
                        "namespace": key[0],
                        "labels": dict(labels(service)),
                        "ownerReferences": [owner_reference(service)],
                    },
                    "subsets": subsets,
                },
            )
        return None

    def _behind(self, change: Change) -> Iterable[Key]:
        for service in self.cluster.list("services", key_of(change.object)[0]):
            if match_map(dig(service, "spec", "selector"))(labels(change.object)):
                yield key_of(service)


def _subsets(service: Object, pods: list[Object]) -> list[Object]:
    """Pods with the same ports share a subset: named ports may differ from pod to pod."""
    groups: dict[Ports, Object] = {}
    unready_too = bool(dig(service, "spec", "publishNotReadyAddresses"))
    for pod in pods:
        ip = dig(pod, "status", "podIP")
        if not ip:
            continue
        subset = groups.setdefault(_ports(service, pod), {})
        key = "addresses" if unready_too or is_ready(pod) else "notReadyAddresses"
        subset.setdefault(key, []).append(_address(pod, str(ip)))
    return [
        subset | {"ports": [_port(*port) for port in ports]} for ports, subset in groups.items()
    ]


def _address(pod: Object, ip: str) -> Object:
    about = reference(pod)
    about.pop("resourceVersion", None)
    about.pop("apiVersion", None)
    return {"ip": ip, "nodeName": dig(pod, "spec", "nodeName"), "targetRef": about}


def _ports(service: Object, pod: Object) -> Ports:
    found: list[tuple[str, int, str]] = []
    for port in items(service, "spec", "ports"):
        number = _target(pod, port.get("targetPort", port.get("port")))
        if number is not None:
            found.append((str(port.get("name", "")), number, str(port.get("protocol", "TCP"))))
    return tuple(found)


def _target(pod: Object, wanted: object) -> int | None:
    if isinstance(wanted, int):
        return wanted
    for container in items(pod, "spec", "containers"):
        for port in items(container, "ports"):
            if port.get("name") == wanted:
                return int(port["containerPort"])
    return None


def _port(name: str, number: int, protocol: str) -> Object:
    return ({"name": name} if name else {}) | {"port": number, "protocol": protocol}
