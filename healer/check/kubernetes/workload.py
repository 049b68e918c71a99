"""kubernetes.workload: the deployment, its rollout, and the autoscaler that rules it."""

from collections.abc import Sequence

from healer.check.contract import CheckContext, Kinds
from healer.check.kubernetes.subject import deployment_of
from healer.check.param import ObjectName, Params
from healer.client.kubernetes.cluster import Kubernetes
from healer.client.kubernetes.object import Autoscaler, Deployment, DeploymentSpec, Metadata
from healer.client.kubernetes.permission import allow
from healer.client.kubernetes.refusal import NOT_FOUND
from healer.errors import RejectedError
from healer.model.effect import Permission
from healer.model.outcome import Evidence, Finding


class WorkloadParams(Params):
    """`name` is another deployment of the target's namespace, which must be there; without it, the
    target.
    """

    name: ObjectName | None = None


class WorkloadState:
    """Evidence: exists, replicas (wanted), ready, updated, available, revision, image, rolling,
    stuck, paused; hpa, hpa_min, hpa_max, hpa_current, hpa_desired, at_max (all 0 without an
    autoscaler).

    One that is gone does not exist, and all its numbers are 0. `at_max` says that the autoscaler
    gives no replica more. Holds where all that are wanted are ready and no rollout is under way.
    """

    name = "kubernetes.workload"
    params = WorkloadParams
    evidence = Kinds(
        {
            **dict.fromkeys(("replicas", "ready", "updated", "available", "revision"), int),
            **dict.fromkeys(("hpa_min", "hpa_max", "hpa_current", "hpa_desired"), int),
            **dict.fromkeys(("exists", "rolling", "stuck", "paused", "hpa", "at_max"), bool),
            "image": str,
        }
    )

    def __init__(self, kubernetes: Kubernetes) -> None:
        self._workloads = kubernetes.workloads

    def permissions(self, params: WorkloadParams, *, namespace: str) -> Sequence[Permission]:
        """Reading the deployment, and finding its autoscaler."""
        return (
            *allow(namespace, "deployments", "get"),
            *allow(namespace, "horizontalpodautoscalers", "list"),
        )

    async def look(self, params: WorkloadParams, ctx: CheckContext) -> Finding:
        """Read both."""
        namespace, name = deployment_of(ctx, params.name)
        try:
            found = await self._workloads.get(namespace, name)
        except RejectedError as error:
            if error.reason != NOT_FOUND or params.name is not None:
                raise
            return _gone(ctx, f"{namespace}/{name}")
        ruler = await self._workloads.autoscaler_of(namespace, name)
        wanted, ready = found.spec.replicas, found.status.ready_replicas
        return Finding(
            check=ctx.id,
            holds=ready >= wanted and not found.rolling,
            summary=f"{ready} of {wanted} replicas of {namespace}/{name} are ready{_aside(found)}",
            evidence={**_rollout(found), **_ruler(found, ruler)},
        )


def require_deployment(ctx: CheckContext) -> None:
    """The target must be a deployment; a PermanentError where it is something else."""
    deployment_of(ctx)


def _gone(ctx: CheckContext, name: str) -> Finding:
    nothing = Deployment(metadata=Metadata(), spec=DeploymentSpec(replicas=0))
    evidence = {**_rollout(nothing), **_ruler(nothing, None), "exists": False, "rolling": False}
    return Finding(check=ctx.id, holds=False, summary=f"{name} is gone", evidence=evidence)


def _aside(found: Deployment) -> str:
    if found.stuck:
        return f"; its rollout is stuck: {found.stuck}"
    if found.spec.paused:
        return "; its rollout is paused"
    return "; a rollout is under way" if found.rolling else ""


def _rollout(found: Deployment) -> Evidence:
    status = found.status
    return {
        "exists": True,
        "replicas": found.spec.replicas,
        "ready": status.ready_replicas,
        "updated": status.updated_replicas,
        "available": status.available_replicas,
        "revision": found.revision,
        "image": next(iter(found.images), ""),
        "rolling": found.rolling,
        "stuck": bool(found.stuck),
        "paused": found.spec.paused,
    }


def _ruler(found: Deployment, ruler: Autoscaler | None) -> Evidence:
    if ruler is None:
        none = dict.fromkeys(("hpa_min", "hpa_max", "hpa_current", "hpa_desired"), 0)
        return {"hpa": False, **none, "at_max": False}
    most = ruler.spec.max_replicas
    return {
        "hpa": True,
        "hpa_min": ruler.spec.min_replicas,
        "hpa_max": most,
        "hpa_current": ruler.status.current_replicas,
        "hpa_desired": ruler.status.desired_replicas,
        # Its status is written a while after its decision: the wish of the deployment is newer.
        "at_max": max(found.spec.replicas, ruler.status.desired_replicas) >= most,
    }
