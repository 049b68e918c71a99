"""The table of resources that drives the whole API server: storage, discovery, routing, RBAC."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

VERBS = (
    "create", "delete", "deletecollection", "get", "list", "patch", "update", "watch",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Subresource:
    """Something below an object: `/scale`, `/log`. Group and version where they differ."""

    name: str
    kind: str
    verbs: tuple[str, ...]
    group: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """One kind of object and the names it goes by."""

    plural: str
    kind: str
    group: str = ""
    version: str = "v1"
    namespaced: bool = True
    short: tuple[str, ...] = ()
    generation: bool = False
    status: bool = False
    verbs: tuple[str, ...] = VERBS
    below: tuple[Subresource, ...] = ()
    categories: tuple[str, ...] = ()

    @property
    def api_version(self) -> str:
        """As objects say it: `apps/v1`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def qualified(self) -> str:
        """As messages say it: `deployments.apps`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def qualified_kind(self) -> str:
        """As messages of validation say it: `Deployment.apps`."""
        return f"{self.kind}.{self.group}" if self.group else self.kind

    def subresource(self, name: str) -> Subresource | None:
        """The part of that name, `/status` included where it has one."""
        return next((sub for sub in self.subresources if sub.name == name), None)

    @property
    def subresources(self) -> tuple[Subresource, ...]:
        """All parts, `/status` included where it has one."""
        if not self.status:
            return self.below
        own = Subresource(name="status", kind=self.kind, verbs=("get", "patch", "update"))
        return (*self.below, own)


_SCALE = Subresource(
    name="scale",
    kind="Scale",
    verbs=("get", "patch", "update"),
    group="autoscaling",
    version="v1",
)
_PROXY = ("create", "delete", "get", "patch", "update")
_POD_PARTS = (
    Subresource(name="eviction", kind="Eviction", verbs=("create",), group="policy", version="v1"),
    Subresource(name="exec", kind="PodExecOptions", verbs=("create", "get")),
    Subresource(name="log", kind="Pod", verbs=("get",)),
    Subresource(name="proxy", kind="PodProxyOptions", verbs=_PROXY),
)
_SERVICE_PROXY = Subresource(name="proxy", kind="ServiceProxyOptions", verbs=_PROXY)
_RBAC = "rbac.authorization.k8s.io"

RESOURCES: tuple[Resource, ...] = (
    Resource(plural="namespaces", kind="Namespace", namespaced=False, short=("ns",), status=True),
    Resource(
        plural="pods",
        kind="Pod",
        short=("po",),
        generation=True,
        status=True,
        below=_POD_PARTS,
        categories=("all",),
    ),
    Resource(plural="configmaps", kind="ConfigMap", short=("cm",)),
    Resource(plural="secrets", kind="Secret"),
    Resource(
        plural="services",
        kind="Service",
        short=("svc",),
        status=True,
        below=(_SERVICE_PROXY,),
        categories=("all",),
    ),
    Resource(plural="endpoints", kind="Endpoints", short=("ep",)),
    Resource(
        plural="persistentvolumeclaims", kind="PersistentVolumeClaim", short=("pvc",), status=True
    ),
    Resource(plural="events", kind="Event", short=("ev",)),
    Resource(plural="nodes", kind="Node", namespaced=False, short=("no",), status=True),
    Resource(plural="resourcequotas", kind="ResourceQuota", short=("quota",), status=True),
    Resource(plural="serviceaccounts", kind="ServiceAccount", short=("sa",)),
    Resource(
        plural="deployments",
        kind="Deployment",
        group="apps",
        short=("deploy",),
        generation=True,
        status=True,
        below=(_SCALE,),
        categories=("all",),
    ),
    Resource(
        plural="replicasets",
        kind="ReplicaSet",
        group="apps",
        short=("rs",),
        generation=True,
        status=True,
        below=(_SCALE,),
        categories=("all",),
    ),
    Resource(
        plural="horizontalpodautoscalers",
        kind="HorizontalPodAutoscaler",
        group="autoscaling",
        version="v2",
        short=("hpa",),
        status=True,
        categories=("all",),
    ),
    Resource(
        plural="poddisruptionbudgets",
        kind="PodDisruptionBudget",
        group="policy",
        short=("pdb",),
        generation=True,
        status=True,
    ),
    Resource(plural="leases", kind="Lease", group="coordination.k8s.io"),
    Resource(
        plural="storageclasses",
        kind="StorageClass",
        group="storage.k8s.io",
        namespaced=False,
        short=("sc",),
    ),
    Resource(
        plural="certificates",
        kind="Certificate",
        group="cert-manager.io",
        short=("cert", "certs"),
        generation=True,
        status=True,
    ),
    Resource(
        plural="issuers", kind="Issuer", group="cert-manager.io", generation=True, status=True
    ),
    Resource(plural="roles", kind="Role", group=_RBAC),
    Resource(plural="rolebindings", kind="RoleBinding", group=_RBAC),
    Resource(plural="clusterroles", kind="ClusterRole", group=_RBAC, namespaced=False),
    Resource(
        plural="clusterrolebindings", kind="ClusterRoleBinding", group=_RBAC, namespaced=False
    ),
)

REVIEW = Resource(
    plural="selfsubjectaccessreviews",
    kind="SelfSubjectAccessReview",
    group="authorization.k8s.io",
    namespaced=False,
    verbs=("create",),
)
"""Answered, never stored."""

BY_PLURAL: Mapping[str, Resource] = MappingProxyType({r.plural: r for r in RESOURCES})


def find(group: str, version: str, plural: str) -> Resource | None:
    """The resource that a path names."""
    wanted = (group, version, plural)
    return next((r for r in (*RESOURCES, REVIEW) if (r.group, r.version, r.plural) == wanted), None)
