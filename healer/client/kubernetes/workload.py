"""Deployments and what belongs to them: scale, revisions, autoscaler, budget, settings, claims."""

from typing import Any, TypeVar

from healer.client.kubernetes.object import (
    Autoscaler,
    Budget,
    Claim,
    ConfigMap,
    Deployment,
    Object,
    ReplicaSet,
    Scale,
    Wire,
)
from healer.client.kubernetes.session import (
    JSON_PATCH,
    MERGE,
    STRATEGIC,
    Request,
    Session,
    dry,
    path,
)
from healer.errors import PermanentError

_APPS = "apis/apps/v1/namespaces"
_SCALING = "apis/autoscaling/v2/namespaces"
_POLICY = "apis/policy/v1/namespaces"
_CORE = "api/v1/namespaces"
WireT = TypeVar("WireT", bound=Wire)


class _Deployments(Wire):
    items: tuple[Deployment, ...] = ()


class _ReplicaSets(Wire):
    items: tuple[ReplicaSet, ...] = ()


class _Autoscalers(Wire):
    items: tuple[Autoscaler, ...] = ()


class _Budgets(Wire):
    items: tuple[Budget, ...] = ()


class _Claims(Wire):
    items: tuple[Claim, ...] = ()


class Workloads:
    """All that is done with deployments and the objects around them."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def get(self, namespace: str, name: str) -> Deployment:
        """One deployment."""
        where = path(_APPS, namespace, "deployments", name)
        return await self._read(f"get deployment {namespace}/{name}", where, Deployment)

    async def select(self, namespace: str, selector: str = "") -> tuple[Deployment, ...]:
        """The deployments of a namespace, or those that a label selector means."""
        request = Request(
            doing=f"list deployments {namespace}",
            method="GET",
            path=path(_APPS, namespace, "deployments"),
            query={"labelSelector": selector} if selector else {},
        )
        return (await self._session.get(request, _Deployments)).items

    async def patch(
        self, namespace: str, name: str, patch: Object | list[Object], *, dry_run: bool = False
    ) -> Deployment:
        """A strategic merge (a mapping) or a JSON patch (a list); what it then is."""
        where = path(_APPS, namespace, "deployments", name)
        doing = f"patch deployment {namespace}/{name}"
        return await self._patch(doing, where, Deployment, patch=patch, dry_run=dry_run)

    async def scale(self, namespace: str, name: str) -> Scale:
        """How many are wanted."""
        where = path(_APPS, namespace, "deployments", name, "scale")
        return await self._read(f"get scale of {namespace}/{name}", where, Scale)

    async def set_scale(
        self, namespace: str, name: str, replicas: int, *, dry_run: bool = False
    ) -> Scale:
        """Want that many."""
        request = Request(
            doing=f"scale deployment {namespace}/{name} to {replicas}",
            method="PATCH",
            path=path(_APPS, namespace, "deployments", name, "scale"),
            query=dry(dry_run=dry_run),
            body={"spec": {"replicas": replicas}},
            content_type=MERGE,
        )
        return await self._session.get(request, Scale)

    async def revisions(self, namespace: str, deployment: Deployment) -> tuple[ReplicaSet, ...]:
        """Its revisions, the oldest first."""
        selector = str(deployment.spec.selector)
        if not selector:
            message = f"deployment {namespace}/{deployment.metadata.name} selects nothing"
            raise PermanentError(message)
        request = Request(
            doing=f"list replica sets {namespace} ({selector})",
            method="GET",
            path=path(_APPS, namespace, "replicasets"),
            query={"labelSelector": selector},
        )
        found = (await self._session.get(request, _ReplicaSets)).items
        owned = (one for one in found if one.metadata.owned_by(deployment.metadata.uid))
        return tuple(sorted(owned, key=lambda one: one.revision))

    async def autoscaler_of(self, namespace: str, name: str) -> Autoscaler | None:
        """The autoscaler that rules the deployment, if there is one."""
        doing = f"list autoscalers {namespace}"
        where = path(_SCALING, namespace, "horizontalpodautoscalers")
        for one in (await self._read(doing, where, _Autoscalers)).items:
            target = one.spec.scale_target_ref
            if (target.kind, target.name) == ("Deployment", name):
                return one
        return None

    async def autoscaler(self, namespace: str, name: str) -> Autoscaler:
        """One autoscaler by its own name."""
        where = path(_SCALING, namespace, "horizontalpodautoscalers", name)
        return await self._read(f"get autoscaler {namespace}/{name}", where, Autoscaler)

    async def set_bounds(
        self, namespace: str, name: str, bounds: dict[str, int], *, dry_run: bool = False
    ) -> Autoscaler:
        """Change `minReplicas` and `maxReplicas` of an autoscaler, as far as they are given."""
        request = Request(
            doing=f"patch autoscaler {namespace}/{name}",
            method="PATCH",
            path=path(_SCALING, namespace, "horizontalpodautoscalers", name),
            query=dry(dry_run=dry_run),
            body={"spec": bounds},
            content_type=MERGE,
        )
        return await self._session.get(request, Autoscaler)

    async def budgets(self, namespace: str) -> tuple[Budget, ...]:
        """The disruption budgets of a namespace."""
        where = path(_POLICY, namespace, "poddisruptionbudgets")
        return (await self._read(f"list budgets {namespace}", where, _Budgets)).items

    async def claims(self, namespace: str) -> tuple[Claim, ...]:
        """The volume claims of a namespace."""
        where = path(_CORE, namespace, "persistentvolumeclaims")
        return (await self._read(f"list claims {namespace}", where, _Claims)).items

    async def config(self, namespace: str, name: str) -> ConfigMap:
        """One ConfigMap."""
        where = path(_CORE, namespace, "configmaps", name)
        return await self._read(f"get configmap {namespace}/{name}", where, ConfigMap)

    async def set_config(
        self, namespace: str, name: str, data: dict[str, str | None], *, dry_run: bool = False
    ) -> ConfigMap:
        """Change keys of a ConfigMap; None removes a key, the others stay."""
        request = Request(
            doing=f"patch configmap {namespace}/{name}",
            method="PATCH",
            path=path(_CORE, namespace, "configmaps", name),
            query=dry(dry_run=dry_run),
            body={"data": data},
            content_type=MERGE,
        )
        return await self._session.get(request, ConfigMap)

    async def _read(self, doing: str, where: str, model: type[WireT]) -> WireT:
        return await self._session.get(Request(doing=doing, method="GET", path=where), model)

    async def _patch(
        self, doing: str, where: str, model: type[WireT], *, patch: Any, dry_run: bool
    ) -> WireT:
        """The content type is always said: what a library guesses has been wrong before."""
        request = Request(
            doing=doing,
            method="PATCH",
            path=where,
            query=dry(dry_run=dry_run),
            body=patch,
            content_type=JSON_PATCH if isinstance(patch, list) else STRATEGIC,
        )
        return await self._session.get(request, model)
