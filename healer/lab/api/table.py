"""Tables for people: what `kubectl get` prints. The columns are those of the real server."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from healer.lab.api.resource import Resource
from healer.lab.api.value import dig, fields, items
from healer.lab.contract import Object

Cell = Callable[[Object], Any]


def age(since: Any, now: datetime) -> str:
    """How long ago, in at most two units, as kubectl writes it."""
    if not isinstance(since, str):
        return "<unknown>"
    then = datetime.fromisoformat(since).astimezone(UTC)
    seconds = max(0, int((now - then).total_seconds()))
    if seconds < 120:
        return f"{seconds}s"
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if minutes < 10:
        rest = seconds % 60
        return f"{minutes}m{rest}s" if rest else f"{minutes}m"
    if minutes < 180:
        return f"{minutes}m"
    if hours < 8:
        rest = minutes % 60
        return f"{hours}h{rest}m" if rest else f"{hours}h"
    return f"{hours}h" if hours < 48 else f"{days}d"


def _at(*path: str, missing: Any = "<none>") -> Cell:
    def cell(obj: Object) -> Any:
        found = dig(obj, *path)
        return missing if found is None else found

    return cell


def _number(*path: str) -> Cell:
    return _at(*path, missing=0)


def _ready(obj: Object) -> str:
    ready = dig(obj, "status", "readyReplicas") or 0
    return f"{ready}/{dig(obj, 'spec', 'replicas') or 0}"


def _pod_ready(pod: Object) -> str:
    statuses = items(pod, "status", "containerStatuses")
    ready = sum(bool(one.get("ready")) for one in statuses)
    return f"{ready}/{len(items(pod, 'spec', 'containers'))}"


def _pod_status(pod: Object) -> str:
    if dig(pod, "metadata", "deletionTimestamp"):
        return "Terminating"
    for one in items(pod, "status", "containerStatuses"):
        if waiting := dig(one, "state", "waiting", "reason"):
            return str(waiting)
        if ended := fields(one, "state", "terminated"):
            return str(ended.get("reason") or f"ExitCode:{ended.get('exitCode')}")
    return str(dig(pod, "status", "reason") or dig(pod, "status", "phase") or "Unknown")


def _restarts(pod: Object) -> str:
    statuses = items(pod, "status", "containerStatuses")
    return str(sum(int(one.get("restartCount", 0)) for one in statuses))


def _node_status(node: Object) -> str:
    conditions = items(node, "status", "conditions")
    ready = any(c.get("type") == "Ready" and c.get("status") == "True" for c in conditions)
    text = "Ready" if ready else "NotReady"
    return f"{text},SchedulingDisabled" if dig(node, "spec", "unschedulable") else text


def _service_ports(service: Object) -> str:
    found = items(service, "spec", "ports")
    return ",".join(f"{one.get('port')}/{one.get('protocol', 'TCP')}" for one in found)


def _addresses(endpoints: Object) -> str:
    found = [
        f"{address['ip']}:{port['port']}"
        for subset in items(endpoints, "subsets")
        for address in items(subset, "addresses")
        for port in items(subset, "ports")
    ]
    return ",".join(found) or "<none>"


def _target(hpa: Object) -> str:
    ref = fields(hpa, "spec", "scaleTargetRef")
    return f"{ref.get('kind')}/{ref.get('name')}"


def _involved(event: Object) -> str:
    about = fields(event, "involvedObject")
    return f"{str(about.get('kind', '')).lower()}/{about.get('name')}"


def _modes(claim: Object) -> str:
    short = {"ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX"}
    return ",".join(short.get(str(one), str(one)) for one in items(claim, "spec", "accessModes"))


_COLUMNS: Mapping[str, Sequence[tuple[str, Cell]]] = MappingProxyType(
    {
        "pods": (("Ready", _pod_ready), ("Status", _pod_status), ("Restarts", _restarts)),
        "deployments": (
            ("Ready", _ready),
            ("Up-to-date", _number("status", "updatedReplicas")),
            ("Available", _number("status", "availableReplicas")),
        ),
        "replicasets": (
            ("Desired", _number("spec", "replicas")),
            ("Current", _number("status", "replicas")),
            ("Ready", _number("status", "readyReplicas")),
        ),
        "namespaces": (("Status", _at("status", "phase")),),
        "nodes": (
            ("Status", _node_status),
            ("Roles", lambda _: "<none>"),
            ("Version", _at("status", "nodeInfo", "kubeletVersion")),
        ),
        "services": (
            ("Type", _at("spec", "type")),
            ("Cluster-IP", _at("spec", "clusterIP")),
            ("Port(s)", _service_ports),
        ),
        "endpoints": (("Endpoints", _addresses),),
        "configmaps": (("Data", lambda obj: len(fields(obj, "data"))),),
        "secrets": (("Type", _at("type")), ("Data", lambda obj: len(fields(obj, "data")))),
        "persistentvolumeclaims": (
            ("Status", _at("status", "phase")),
            ("Volume", _at("spec", "volumeName", missing="")),
            ("Capacity", _at("status", "capacity", "storage", missing="")),
            ("Access Modes", _modes),
            ("StorageClass", _at("spec", "storageClassName", missing="")),
        ),
        "horizontalpodautoscalers": (
            ("Reference", _target),
            ("MinPods", _at("spec", "minReplicas")),
            ("MaxPods", _at("spec", "maxReplicas")),
            ("Replicas", _number("status", "currentReplicas")),
        ),
        "poddisruptionbudgets": (
            ("Min Available", _at("spec", "minAvailable", missing="N/A")),
            ("Max Unavailable", _at("spec", "maxUnavailable", missing="N/A")),
            ("Allowed Disruptions", _number("status", "disruptionsAllowed")),
        ),
        "events": (
            ("Type", _at("type")),
            ("Reason", _at("reason")),
            ("Object", _involved),
            ("Message", _at("message", missing="")),
        ),
        "leases": (("Holder", _at("spec", "holderIdentity", missing="")),),
        "storageclasses": (("Provisioner", _at("provisioner")),),
        "rolebindings": (("Role", _at("roleRef", "name")),),
        "clusterrolebindings": (("Role", _at("roleRef", "name")),),
    }
)


def table(resource: Resource, found: Sequence[Object], *, now: datetime, include: str) -> Object:
    """A meta.k8s.io/v1 Table of these objects; `include` says how much of them the rows carry."""
    event = resource.plural == "events"
    names = [name for name, _ in _COLUMNS.get(resource.plural, ())]
    titles = ["Last Seen", *names] if event else ["Name", *names, "Age"]
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": {"resourceVersion": ""},
        "columnDefinitions": [_column(title) for title in titles],
        "rows": [_row(resource, obj, now=now, include=include) for obj in found],
    }


def _column(title: str) -> Object:
    return {
        "name": title,
        "type": "string",
        "format": "name" if title == "Name" else "",
        "description": title,
        "priority": 0,
    }


def _row(resource: Resource, obj: Object, *, now: datetime, include: str) -> Object:
    meta = fields(obj, "metadata")
    cells = [cell(obj) for _, cell in _COLUMNS.get(resource.plural, ())]
    if resource.plural == "events":
        seen = obj.get("lastTimestamp") or obj.get("eventTime") or meta.get("creationTimestamp")
        cells = [age(seen, now), *cells]
    else:
        cells = [meta.get("name", ""), *cells, age(meta.get("creationTimestamp"), now)]
    partial = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": meta}
    carried: Mapping[str, Object] = {"Object": obj, "Metadata": partial}
    return {"cells": cells} | ({"object": carried[include]} if include in carried else {})
