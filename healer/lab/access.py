"""Who may do what in the lab's cluster: an administrator, and healer with no more than it needs."""

from healer.lab.api.rbac import MASTERS, Identity
from healer.lab.contract import Object

ADMIN = Identity(user="lab-admin", groups=frozenset({MASTERS}))
HEALER = Identity(user="healer")

_RIGHTS: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...] = (
    ("", ("pods", "events", "nodes", "persistentvolumeclaims"), ("get", "list")),
    ("", ("persistentvolumeclaims",), ("patch",)),
    ("", ("pods",), ("delete",)),
    ("", ("pods/log",), ("get",)),
    ("", ("pods/proxy", "pods/exec"), ("get", "create")),
    ("", ("pods/eviction",), ("create",)),
    ("", ("configmaps",), ("get", "list", "patch")),
    ("", ("services", "endpoints"), ("get", "list")),
    ("apps", ("deployments",), ("get", "list", "patch")),
    ("apps", ("deployments/scale",), ("get", "patch")),
    ("apps", ("replicasets",), ("get", "list")),
    ("autoscaling", ("horizontalpodautoscalers",), ("get", "list", "patch")),
    ("policy", ("poddisruptionbudgets",), ("get", "list")),
    ("storage.k8s.io", ("storageclasses",), ("get",)),
)


def grants() -> tuple[tuple[str, Object], ...]:
    """The role of healer and its binding, with the plural of each."""
    rules = [
        {"apiGroups": [group], "resources": list(resources), "verbs": list(verbs)}
        for group, resources, verbs in _RIGHTS
    ]
    api = "rbac.authorization.k8s.io"
    subject = {"kind": "User", "apiGroup": api, "name": HEALER.user}
    reference = {"apiGroup": api, "kind": "ClusterRole", "name": "healer"}
    return (
        ("clusterroles", {"metadata": {"name": "healer"}, "rules": rules}),
        (
            "clusterrolebindings",
            {"metadata": {"name": "healer"}, "subjects": [subject], "roleRef": reference},
        ),
    )
