"""What an API server fills in where the caller said nothing. Never overrides a caller's word."""

import base64
from collections.abc import Mapping
from typing import Any

from healer.lab.api.resource import Resource
from healer.lab.api.value import clone, dig, is_map, items, section
from healer.lab.contract import Object

_POD = {
    "restartPolicy": "Always",
    "terminationGracePeriodSeconds": 30,
    "dnsPolicy": "ClusterFirst",
    "schedulerName": "default-scheduler",
}
_CONTAINER = {
    "terminationMessagePath": "/dev/termination-log",
    "terminationMessagePolicy": "File",
}
_PROBE = {"timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3}
_DEPLOYMENT = {"replicas": 1, "revisionHistoryLimit": 10, "progressDeadlineSeconds": 600}
_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")


def fill(resource: Resource, obj: Object) -> None:
    """Put the defaults of that kind of object in."""
    match resource.plural:
        case "pods":
            _pod_spec(section(obj, "spec"))
            _absent(section(obj, "status"), {"phase": "Pending"})
        case "deployments":
            _deployment(section(obj, "spec"))
        case "replicasets":
            _absent(section(obj, "spec"), {"replicas": 1})
            _template(section(obj, "spec"))
        case "services":
            _service(section(obj, "spec"))
        case "horizontalpodautoscalers":
            _absent(section(obj, "spec"), {"minReplicas": 1})
        case "persistentvolumeclaims":
            _absent(section(obj, "spec"), {"volumeMode": "Filesystem"})
            _absent(section(obj, "status"), {"phase": "Pending"})
        case "storageclasses":
            _absent(obj, {"reclaimPolicy": "Delete", "volumeBindingMode": "Immediate"})
        case _:
            _rest(resource.plural, obj)


def _rest(plural: str, obj: Object) -> None:
    match plural:
        case "secrets":
            _secret(obj)
        case "namespaces":
            _absent(section(obj, "spec"), {"finalizers": ["kubernetes"]})
            _absent(section(obj, "status"), {"phase": "Active"})
            name = {"kubernetes.io/metadata.name": obj["metadata"]["name"]}
            section(obj["metadata"], "labels").update(name)
        case "rolebindings" | "clusterrolebindings":
            _absent(section(obj, "roleRef"), {"apiGroup": "rbac.authorization.k8s.io"})
        case _:
            pass


def _absent(target: Object, defaults: Mapping[str, Any]) -> None:
    for key, value in defaults.items():
        if target.get(key) is None:
            target[key] = clone(value) if is_map(value) else value


def _deployment(spec: Object) -> None:
    _absent(spec, _DEPLOYMENT)
    strategy = section(spec, "strategy")
    _absent(strategy, {"type": "RollingUpdate"})
    if strategy["type"] == "RollingUpdate":
        _absent(section(strategy, "rollingUpdate"), {"maxSurge": "25%", "maxUnavailable": "25%"})
    _template(spec)


def _template(spec: Object) -> None:
    template = section(spec, "template")
    section(template, "metadata").setdefault("creationTimestamp", None)
    _pod_spec(section(template, "spec"))


def _pod_spec(spec: Object) -> None:
    _absent(spec, _POD)
    section(spec, "securityContext")
    for container in [*items(spec, "containers"), *items(spec, "initContainers")]:
        if is_map(container):
            _container(container)


def _container(container: Object) -> None:
    _absent(container, _CONTAINER)
    tag = str(container.get("image", "")).rpartition("/")[2]
    latest = ":" not in tag or tag.endswith(":latest")
    _absent(container, {"imagePullPolicy": "Always" if latest else "IfNotPresent"})
    resources = section(container, "resources")
    limits = dig(resources, "limits")
    if is_map(limits):
        _absent(section(resources, "requests"), limits)
    for port in items(container, "ports"):
        _absent(port, {"protocol": "TCP"})
    for name in _PROBES:
        if is_map(container.get(name)):
            _probe(container[name])


def _probe(probe: Object) -> None:
    _absent(probe, _PROBE)
    if is_map(probe.get("httpGet")):
        _absent(probe["httpGet"], {"path": "/", "scheme": "HTTP"})


def _service(spec: Object) -> None:
    defaults = {"type": "ClusterIP", "sessionAffinity": "None", "internalTrafficPolicy": "Cluster"}
    _absent(spec, defaults)
    for port in items(spec, "ports"):
        _absent(port, {"protocol": "TCP", "targetPort": port.get("port")})


def _secret(obj: Object) -> None:
    _absent(obj, {"type": "Opaque"})
    plain = obj.pop("stringData", None)
    if is_map(plain):
        coded = {key: base64.b64encode(str(v).encode()).decode() for key, v in plain.items()}
        section(obj, "data").update(coded)
