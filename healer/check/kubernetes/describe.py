"""kubernetes.describe: the state of a workload in words, for people who are woken by it."""

from collections.abc import Sequence
from datetime import datetime

from healer.check.contract import CheckContext, Kinds
from healer.check.kubernetes.event import is_about
from healer.check.kubernetes.subject import deployment_of
from healer.check.param import Params
from healer.client.kubernetes.cluster import Kubernetes
from healer.client.kubernetes.container import ContainerStatus, Pod
from healer.client.kubernetes.object import Deployment, Event
from healer.client.kubernetes.permission import allow
from healer.model.effect import Permission
from healer.model.outcome import Finding

_PODS = 20
_EVENTS = 10


class DescribeParams(Params):
    """It needs none: it looks at the target."""


class Describe:
    """Always holds. Evidence: text (several lines). Conditions are better built on other checks."""

    name = "kubernetes.describe"
    params = DescribeParams
    evidence = Kinds({"text": str})

    def __init__(self, kubernetes: Kubernetes) -> None:
        self._kubernetes = kubernetes

    def permissions(self, params: DescribeParams, *, namespace: str) -> Sequence[Permission]:
        """Reading the deployment, its pods and their events."""
        return (
            *allow(namespace, "deployments", "get"),
            *allow(namespace, "pods", "list"),
            *allow(namespace, "events", "list"),
        )

    async def look(self, params: DescribeParams, ctx: CheckContext) -> Finding:
        """Look once."""
        namespace, name = deployment_of(ctx)
        deployment = await self._kubernetes.workloads.get(namespace, name)
        pods = await self._kubernetes.pods.select(namespace, ctx.service.selector)
        events = await self._kubernetes.pods.events(namespace)
        warnings = [one for one in events if one.type == "Warning" and is_about(one, name)]
        text = "\n".join(
            [*_deployment(deployment), *_all_pods(pods), *map(_event, warnings[-_EVENTS:])]
        )
        ready = sum(pod.ready for pod in pods)
        return Finding(
            check=ctx.id,
            holds=True,
            summary=f"{ctx.target}: {ready} of {deployment.spec.replicas} pods serve",
            evidence={"text": text},
        )


def _deployment(found: Deployment) -> list[str]:
    status = found.status
    head = (
        f"deployment {found.metadata.name}, revision {found.revision}: "
        f"{found.spec.replicas} wanted, {status.updated_replicas} new, "
        f"{status.ready_replicas} ready, {status.available_replicas} available"
    )
    lines = [head, *(f"  image {image}" for image in found.images)]
    told = [one for one in status.conditions if one.status != "True"]
    return lines + [f"  {one.type}={one.status} {one.reason}: {one.message}" for one in told]


def _all_pods(pods: Sequence[Pod]) -> list[str]:
    """The ailing ones first: they are what the reader looks for."""
    ordered = sorted(pods, key=lambda pod: (pod.ready, pod.name))
    lines = [line for pod in ordered[:_PODS] for line in _pod(pod)]
    return lines + ([f"and {len(pods) - _PODS} more pods"] if len(pods) > _PODS else [])


def _pod(pod: Pod) -> list[str]:
    where = f" on {pod.spec.node_name}" if pod.spec.node_name else ""
    state = "ready" if pod.ready else pod.trouble
    head = f"pod {pod.name}{where}: {state}, {pod.restarts} restarts"
    return [head, *(line for one in pod.statuses for line in _container(one))]


def _container(found: ContainerStatus) -> list[str]:
    lines: list[str] = []
    if waiting := found.state.waiting:
        lines.append(f"  {found.name} waits: {waiting.reason} {waiting.message}".rstrip())
    if ended := found.state.terminated or found.last_state.terminated:
        lines.append(f"  {found.name} last ended: {ended.reason} (exit code {ended.exit_code})")
    return lines


def _event(event: Event) -> str:
    about = event.involved_object
    return f"{_clock(event.last_seen)} {about.kind} {about.name}: {event.reason}: {event.message}"


def _clock(moment: datetime | None) -> str:
    return moment.strftime("%H:%M:%S") if moment else "--:--:--"
