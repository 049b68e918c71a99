"""The rights that actions and checks ask for: a resource of a namespace, and the verbs."""

from healer.model.effect import Permission

_GROUPS = {
    "deployments": "apps",
    "deployments/scale": "apps",
    "replicasets": "apps",
    "horizontalpodautoscalers": "autoscaling",
    "poddisruptionbudgets": "policy",
}


def allow(namespace: str, resource: str, *verbs: str) -> tuple[Permission, ...]:
    """Those verbs on a resource of a namespace."""
    group = _GROUPS.get(resource, "")
    return tuple(
        Permission(group=group, resource=resource, verb=verb, namespace=namespace) for verb in verbs
    )
