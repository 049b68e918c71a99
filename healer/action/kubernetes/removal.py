"""kubernetes.evict and kubernetes.delete-pod: take one pod away, so that a new one comes."""

from collections.abc import Sequence
from typing import Literal

from pydantic import model_validator

from healer.action.contract import StepContext, Undo
from healer.action.kubernetes.choice import NobodyError, Select, find_pod
from healer.action.param import ObjectName, Params
from healer.client.kubernetes.cluster import Kubernetes
from healer.client.kubernetes.permission import allow
from healer.client.kubernetes.pod import Pods
from healer.client.kubernetes.refusal import CONFLICT, NOT_FOUND
from healer.errors import PermanentError, RejectedError, TemporaryError, UnavailableError
from healer.model.effect import Effect, Permission
from healer.model.outcome import Outcome, Result


class RemovalParams(Params):
    """A pod by name, or one chosen by `select`. `prepare` writes down which one, by uid."""

    pod: ObjectName | None = None
    select: Literal["not-ready", "oldest", "most-restarted", "oom-killed"] | None = None
    optional: bool = False
    """Nobody to remove is no failure."""
    uid: str | None = None

    @model_validator(mode="after")
    def _say_which(self) -> "RemovalParams":
        if self.pod is None and self.select is None:
            message = "say which pod: `pod: NAME`, or `select: not-ready`"
            raise ValueError(message)
        if self.pod is not None and self.select is not None and self.uid is None:
            message = "say either `pod` or `select`, not both"
            raise ValueError(message)
        return self


class Evict:
    """One pod at a time, by eviction: so a PodDisruptionBudget is honoured."""

    name = "kubernetes.evict"
    effect = Effect.DISRUPTIVE
    params = RemovalParams

    def __init__(self, kubernetes: Kubernetes) -> None:
        self._pods = kubernetes.pods

    def permissions(self, params: RemovalParams, *, namespace: str) -> Sequence[Permission]:
        """Finding the pod and asking for its eviction."""
        return (
            *allow(namespace, "pods", "get", "list"),
            *allow(namespace, "pods/eviction", "create"),
        )

    async def prepare(self, params: RemovalParams, ctx: StepContext) -> RemovalParams:
        """Choose the pod, and remember that it is this one and not its successor."""
        return await _chosen(self._pods, params, ctx)

    async def run(self, params: RemovalParams, ctx: StepContext) -> Outcome:
        """Ask once. What a budget does not allow now is told as such, with nothing done."""
        if _nobody(params):
            return _nothing_to_do(params, ctx)
        namespace, pod, uid = _final(params, ctx)
        if await _gone(self._pods, namespace, pod, uid):
            return _already_gone(pod)
        try:
            await self._pods.evict(namespace, pod, uid=uid, dry_run=ctx.dry_run)
        except UnavailableError:
            raise
        except TemporaryError as error:
            summary = str(error)
            return Outcome(result=Result.FAILED, summary=summary, retry_after=error.retry_after)
        except RejectedError as error:
            return _replaced(error, pod)
        return _removed("evict", pod, ctx)

    async def settle(self, params: RemovalParams, ctx: StepContext) -> Outcome | None:
        """Gone, or on its way out: that is what was wanted."""
        return await _settled(self._pods, params, ctx)

    def undo(self, params: RemovalParams, outcome: Outcome) -> Undo | None:
        """What is gone is gone."""
        return None


class DeletePod:
    """Past every budget: only for a pod that serves nobody any more."""

    name = "kubernetes.delete-pod"
    effect = Effect.DISRUPTIVE
    params = RemovalParams

    def __init__(self, kubernetes: Kubernetes) -> None:
        self._pods = kubernetes.pods

    def permissions(self, params: RemovalParams, *, namespace: str) -> Sequence[Permission]:
        """Finding the pod and deleting it."""
        return allow(namespace, "pods", "get", "list", "delete")

    async def prepare(self, params: RemovalParams, ctx: StepContext) -> RemovalParams:
        """Choose the pod, and remember that it is this one and not its successor."""
        return await _chosen(self._pods, params, ctx)

    async def run(self, params: RemovalParams, ctx: StepContext) -> Outcome:
        """Delete it, if it is still the same one."""
        if _nobody(params):
            return _nothing_to_do(params, ctx)
        namespace, pod, uid = _final(params, ctx)
        if await _gone(self._pods, namespace, pod, uid):
            return _already_gone(pod)
        try:
            await self._pods.delete(namespace, pod, uid=uid, dry_run=ctx.dry_run)
        except RejectedError as error:
            return _replaced(error, pod)
        return _removed("delete", pod, ctx)

    async def settle(self, params: RemovalParams, ctx: StepContext) -> Outcome | None:
        """Gone, or on its way out: that is what was wanted."""
        return await _settled(self._pods, params, ctx)

    def undo(self, params: RemovalParams, outcome: Outcome) -> Undo | None:
        """What is gone is gone."""
        return None


async def _chosen(pods: Pods, params: RemovalParams, ctx: StepContext) -> RemovalParams:
    if params.uid is not None:
        return params
    select = Select(params.select or Select.NOT_READY)
    try:
        pod = await find_pod(pods, ctx, name=params.pod, select=select)
    except NobodyError:
        if params.optional:
            return params
        raise
    return params.model_copy(update={"pod": pod.name, "uid": pod.metadata.uid})


async def _gone(pods: Pods, namespace: str, name: str, uid: str) -> bool:
    """Asked first: an eviction that is refused for its uid still spends the budget."""
    try:
        found = await pods.get(namespace, name)
    except RejectedError as error:
        if error.reason == NOT_FOUND:
            return True
        raise
    return found.metadata.uid != uid or found.leaving


async def _settled(pods: Pods, params: RemovalParams, ctx: StepContext) -> Outcome:
    if _nobody(params):
        return _nothing_to_do(params, ctx)
    namespace, pod, uid = _final(params, ctx)
    if await _gone(pods, namespace, pod, uid):
        return _already_gone(pod)
    return Outcome(result=Result.FAILED, summary=f"pod {pod} is still there")


def _nobody(params: RemovalParams) -> bool:
    return params.optional and params.uid is None


def _nothing_to_do(params: RemovalParams, ctx: StepContext) -> Outcome:
    summary = f"no pod of {ctx.target} is {params.select or params.pod}: nobody to remove"
    result = Result.SKIPPED if ctx.dry_run else Result.SUCCEEDED
    return Outcome(result=result, summary=summary)


def _final(params: RemovalParams, ctx: StepContext) -> tuple[str, str, str]:
    if params.pod is None or params.uid is None:
        message = "the pod was never chosen"
        raise PermanentError(message)
    return ctx.target.namespace, params.pod, params.uid


def _replaced(error: RejectedError, pod: str) -> Outcome:
    """Between our look and our asking it went: that is what was wanted."""
    if error.reason in (NOT_FOUND, CONFLICT):
        return _already_gone(pod)
    raise error


def _already_gone(pod: str) -> Outcome:
    summary = f"pod {pod} is gone, or on its way out"
    return Outcome(result=Result.SUCCEEDED, summary=summary, evidence={"pod": pod})


def _removed(verb: str, pod: str, ctx: StepContext) -> Outcome:
    if ctx.dry_run:
        summary = f"would {verb} pod {pod}"
        return Outcome(result=Result.SKIPPED, summary=summary, evidence={"pod": pod})
    summary = f"pod {pod}: {verb} accepted, it ends gracefully"
    return Outcome(result=Result.SUCCEEDED, summary=summary, evidence={"pod": pod})
