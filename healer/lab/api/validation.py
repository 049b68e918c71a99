"""What may not be stored: the rules of the built-in types that callers run into."""

import re
from collections.abc import Iterator
from typing import Any

from healer.lab.api.failure import invalid, invalid_value, refused, required
from healer.lab.api.quantity import quantity
from healer.lab.api.resource import Resource
from healer.lab.api.selector import OPERATORS, match_labels
from healer.lab.api.value import clone, dig, fields, is_map, items
from healer.lab.contract import Object

_SUBDOMAIN = re.compile(r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")
_RBAC_KINDS = frozenset({"roles", "rolebindings", "clusterroles", "clusterrolebindings"})
_LABEL = re.compile(r"^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$")
_NAME_RULE = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or "
    "'.', and must start and end with an alphanumeric character"
)
_POD_RULE = (
    "pod updates may not change fields other than `spec.containers[*].image`,"
    "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only "
    "additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set "
    "to 1 if it was previously negative)"
)
_NOT_NEGATIVE = "must be greater than or equal to 0"


def check(resource: Resource, new: Object, old: Object | None) -> None:
    """Raise Invalid, with every fault, if `new` may not be stored in place of `old`."""
    faults = [*_metadata(resource, new), *_kind(resource, new)]
    if old is not None:
        faults += _change(resource, new, old)
    if faults:
        raise invalid(resource.kind, new["metadata"]["name"], faults, group=resource.group)


def check_replicas(name: str, replicas: object) -> None:
    """The rule of /scale."""
    if not isinstance(replicas, int) or replicas < 0:
        fault = invalid_value("spec.replicas", replicas, _NOT_NEGATIVE)
        raise invalid("Scale", name, [fault], group="autoscaling")


def _metadata(resource: Resource, new: Object) -> Iterator[Object]:
    name = new["metadata"]["name"]
    if resource.plural not in _RBAC_KINDS and not _SUBDOMAIN.match(str(name)):
        yield invalid_value("metadata.name", name, _NAME_RULE)
    for key, value in fields(new, "metadata", "labels").items():
        if not isinstance(value, str) or not _LABEL.match(value) or len(value) > 63:
            why = "a valid label must be an empty string or consist of alphanumeric characters"
            yield invalid_value("metadata.labels", f"{key}={value}", why)


def _kind(resource: Resource, new: Object) -> Iterator[Object]:
    spec = fields(new, "spec")
    match resource.plural:
        case "pods":
            yield from _pod_spec(spec, "spec")
        case "deployments" | "replicasets":
            yield from _replicas(spec)
            yield from _selector(spec)
            yield from _pod_spec(fields(spec, "template", "spec"), "spec.template.spec")
        case "horizontalpodautoscalers":
            yield from _autoscaler(spec)
        case "poddisruptionbudgets":
            yield from _expressions(spec)
            if "minAvailable" in spec and "maxUnavailable" in spec:
                why = "minAvailable and maxUnavailable cannot be both set"
                yield invalid_value("spec", "", why)
        case "services":
            if not items(spec, "ports") and spec.get("clusterIP") != "None":
                yield required("spec.ports")
        case _:
            pass


def _replicas(spec: Object) -> Iterator[Object]:
    replicas = spec.get("replicas")
    if not isinstance(replicas, int) or isinstance(replicas, bool) or replicas < 0:
        yield invalid_value("spec.replicas", replicas, _NOT_NEGATIVE)
    rolling = fields(spec, "strategy", "rollingUpdate")
    if all(rolling.get(key) in {0, "0%"} for key in ("maxSurge", "maxUnavailable")):
        field = "spec.strategy.rollingUpdate.maxUnavailable"
        yield invalid_value(field, 0, "may not be 0 when `maxSurge` is 0")


def _selector(spec: Object) -> Iterator[Object]:
    selector = spec.get("selector")
    if not is_map(selector) or not selector:
        yield required("spec.selector")
        return
    yield from _expressions(spec)
    labels = fields(spec, "template", "metadata", "labels")
    if not match_labels(selector)(labels):
        why = "`selector` does not match template `labels`"
        yield invalid_value("spec.template.metadata.labels", str(labels), why)


def _expressions(spec: Object) -> Iterator[Object]:
    for place, one in enumerate(items(spec, "selector", "matchExpressions")):
        at = f"spec.selector.matchExpressions[{place}]"
        if not one.get("key"):
            yield required(f"{at}.key")
        if one.get("operator") not in OPERATORS:
            why = "not a valid selector operator"
            yield invalid_value(f"{at}.operator", one.get("operator"), why)


def _pod_spec(spec: Object, at: str) -> Iterator[Object]:
    containers = items(spec, "containers")
    if not containers:
        yield required(f"{at}.containers")
    names: set[Any] = set()
    for place, container in enumerate(containers):
        for needed in ("name", "image"):
            if not container.get(needed):
                yield required(f"{at}.containers[{place}].{needed}")
        if container.get("name") in names:
            message = f'Duplicate value: "{container["name"]}"'
            field = f"{at}.containers[{place}].name"
            yield {"reason": "FieldValueDuplicate", "message": message, "field": field}
        names.add(container.get("name"))
        yield from _container(spec, container, f"{at}.containers[{place}]")


def _container(spec: Object, container: Object, at: str) -> Iterator[Object]:
    volumes = {one.get("name") for one in items(spec, "volumes")}
    for place, mount in enumerate(items(container, "volumeMounts")):
        if mount.get("name") not in volumes:
            field, name = f"{at}.volumeMounts[{place}].name", mount.get("name")
            message = f'Not found: "{name}"'
            yield {"reason": "FieldValueNotFound", "message": message, "field": field}
    for part in ("limits", "requests"):
        for key, value in fields(container, "resources", part).items():
            if not _is_quantity(value):
                field = f"{at}.resources.{part}[{key}]"
                yield invalid_value(field, value, "quantities must be a number and a unit")


def _is_quantity(value: Any) -> bool:
    try:
        return quantity(value) >= 0
    except ValueError:
        return False


def _autoscaler(spec: Object) -> Iterator[Object]:
    low, high = spec.get("minReplicas"), spec.get("maxReplicas")
    if not isinstance(high, int) or high < 1:
        yield invalid_value("spec.maxReplicas", high, "must be greater than 0")
    elif isinstance(low, int) and high < low:
        why = "must be greater than or equal to `minReplicas`"
        yield invalid_value("spec.maxReplicas", high, why)
    if not isinstance(low, int) or low < 1:
        yield invalid_value("spec.minReplicas", low, "must be greater than or equal to 1")
    if not dig(spec, "scaleTargetRef", "name"):
        yield required("spec.scaleTargetRef.name")


# -------------------------------------------------------------------------------- what may change


def _change(resource: Resource, new: Object, old: Object) -> Iterator[Object]:
    match resource.plural:
        case "pods":
            if _fixed_pod(new) != _fixed_pod(old):
                yield refused("spec", _POD_RULE)
        case "deployments" | "replicasets":
            if new["spec"].get("selector") != old["spec"].get("selector"):
                shown = str(new["spec"].get("selector"))
                yield invalid_value("spec.selector", shown, "field is immutable")
        case "persistentvolumeclaims":
            yield from _claim(new, old)
        case "configmaps" | "secrets":
            if old.get("immutable") and new.get("data") != old.get("data"):
                yield refused("data", "field is immutable when `immutable` is set")
        case "rolebindings" | "clusterrolebindings":
            if new.get("roleRef") != old.get("roleRef"):
                yield invalid_value("roleRef", str(new.get("roleRef")), "cannot change roleRef")
        case _:
            pass


def _fixed_pod(pod: Object) -> Object:
    spec = clone(pod["spec"])
    for container in [*items(spec, "containers"), *items(spec, "initContainers")]:
        container.pop("image", None)
    for free in ("activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds"):
        spec.pop(free, None)
    return spec


def _claim(new: Object, old: Object) -> Iterator[Object]:
    if _fixed_claim(new) != _fixed_claim(old):
        why = (
            "spec is immutable after creation except resources.requests and "
            "volumeAttributesClassName for bound claims"
        )
        yield refused("spec", why)
        return
    field = ("spec", "resources", "requests", "storage")
    wanted, had = dig(new, *field), dig(old, *field)
    if wanted is None or not _is_quantity(wanted):
        yield invalid_value(".".join(field), wanted, "must be a quantity")
    elif had is not None and quantity(wanted) < quantity(had):
        yield refused(".".join(field), "field can not be less than status.capacity")


def _fixed_claim(claim: Object) -> Object:
    spec = clone(claim["spec"])
    fields(spec, "resources", "requests").pop("storage", None)
    return spec
