"""The rights that actions and checks ask for: a resource of a namespace, and the verbs."""

from collections.abc import Sequence

from healer.model.effect import Permission

Rights = tuple[Permission, ...]

_GROUPS = {
    "certificates": "cert-manager.io",
    "certificates/status": "cert-manager.io",
    "clusterissuers": "cert-manager.io",
    "deployments": "apps",
    "deployments/scale": "apps",
    "replicasets": "apps",
    "horizontalpodautoscalers": "autoscaling",
    "issuers": "cert-manager.io",
    "poddisruptionbudgets": "policy",
    "storageclasses": "storage.k8s.io",
}


CLUSTER = ""
"""In place of a namespace: what belongs to the cluster as a whole."""


def allow(namespace: str, resource: str, *verbs: str, names: Sequence[str] = ()) -> Rights:
    """Those verbs on a resource of a namespace: on all its objects, or on some by name."""
    group = _GROUPS.get(resource, "")
    return tuple(
        Permission(
            group=group, resource=resource, verb=verb, namespace=namespace, names=tuple(names)
        )
        for verb in verbs
    )
