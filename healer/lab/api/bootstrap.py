"""What every cluster has from its first moment: namespaces, and roles for the very basics."""

from collections.abc import Sequence

from healer.lab.api.failure import ApiError
from healer.lab.api.store import Store
from healer.lab.contract import Object

_PATHS = (
    "/api", "/api/*", "/apis", "/apis/*", "/healthz", "/livez", "/readyz",
    "/openapi", "/openapi/*", "/version", "/version/",
)  # fmt: skip
_PUBLIC_PATHS = ("/healthz", "/livez", "/readyz", "/version", "/version/")
_REVIEWS = {
    "apiGroups": ["authorization.k8s.io"],
    "resources": ["selfsubjectaccessreviews"],
    "verbs": ["create"],
}


def _role(name: str, rules: Sequence[Object]) -> tuple[str, Object]:
    return "clusterroles", {"metadata": {"name": name}, "rules": list(rules)}


def _binding(name: str, groups: Sequence[str]) -> tuple[str, Object]:
    group = "rbac.authorization.k8s.io"
    subjects = [{"kind": "Group", "apiGroup": group, "name": one} for one in groups]
    ref = {"apiGroup": group, "kind": "ClusterRole", "name": name}
    return "clusterrolebindings", {
        "metadata": {"name": name},
        "subjects": subjects,
        "roleRef": ref,
    }


def _objects() -> Sequence[tuple[str, Object]]:
    everything: list[Object] = [
        {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]},
        {"nonResourceURLs": ["*"], "verbs": ["*"]},
    ]
    return (
        *(
            ("namespaces", {"metadata": {"name": name}})
            for name in ("default", "kube-system", "kube-node-lease")
        ),
        _role("cluster-admin", everything),
        _role("system:discovery", [{"nonResourceURLs": list(_PATHS), "verbs": ["get"]}]),
        _role("system:basic-user", [_REVIEWS]),
        _role(
            "system:public-info-viewer",
            [{"nonResourceURLs": list(_PUBLIC_PATHS), "verbs": ["get"]}],
        ),
        _binding("cluster-admin", ["system:masters"]),
        _binding("system:discovery", ["system:authenticated"]),
        _binding("system:basic-user", ["system:authenticated"]),
        _binding("system:public-info-viewer", ["system:authenticated", "system:unauthenticated"]),
    )


def bootstrap(store: Store) -> None:
    """Create what is not there yet."""
    for resource, obj in _objects():
        try:
            store.create(resource, obj)
        except ApiError as error:
            if error.reason != "AlreadyExists":
                raise
