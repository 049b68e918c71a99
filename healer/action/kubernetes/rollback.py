"""kubernetes.rollout-undo: back to an older revision, as `kubectl rollout undo`."""

import copy
from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import Field

from healer.action.contract import StepContext, Undo
from healer.action.kubernetes.workload import STEP, deployment_of, refuse_paused
from healer.action.param import Params
from healer.client.kubernetes.cluster import Kubernetes
from healer.client.kubernetes.object import Deployment, Object, ReplicaSet
from healer.client.kubernetes.permission import allow
from healer.errors import PermanentError
from healer.model.effect import Effect, Permission
from healer.model.outcome import Evidence, Outcome, Result

_HASH = "pod-template-hash"


class RolloutUndoParams(Params):
    """`revision` as `kubectl rollout history` counts; without it, the one before this.

    The rest is written by `prepare`: replica sets by name, for revisions are renumbered.
    """

    revision: Annotated[int, Field(ge=1)] | None = None
    replica_set: str | None = None
    previous: str | None = None


class RolloutUndo:
    """Copies the template of an old replica set; nothing in the new one survives it."""

    name = "kubernetes.rollout-undo"
    effect = Effect.DISRUPTIVE
    params = RolloutUndoParams

    def __init__(self, kubernetes: Kubernetes) -> None:
        self._workloads = kubernetes.workloads

    def permissions(self, params: RolloutUndoParams, *, namespace: str) -> Sequence[Permission]:
        """Reading revisions, reading and patching the deployment."""
        return (
            *allow(namespace, "deployments", "get", "patch"),
            *allow(namespace, "replicasets", "list"),
        )

    async def prepare(self, params: RolloutUndoParams, ctx: StepContext) -> RolloutUndoParams:
        """Find the revision and the present one."""
        if params.replica_set is not None:
            return params
        namespace, name = deployment_of(ctx)
        deployment = await self._workloads.get(namespace, name)
        refuse_paused(deployment, ctx)
        revisions = await self._workloads.revisions(namespace, deployment)
        chosen = _choose(revisions, params.revision, deployment, ctx)
        present = [one for one in revisions if one.revision == deployment.revision]
        return params.model_copy(
            update={
                "revision": chosen.revision,
                "replica_set": chosen.metadata.name,
                "previous": present[0].metadata.name if present else None,
            }
        )

    async def run(self, params: RolloutUndoParams, ctx: StepContext) -> Outcome:
        """Replace the template whole: a merge would keep what the old one had not."""
        namespace, name = deployment_of(ctx)
        deployment = await self._workloads.get(namespace, name)
        if deployment.metadata.annotations.get(STEP) == ctx.key:
            return _outcome(params, ctx)
        revisions = await self._workloads.revisions(namespace, deployment)
        found = [one for one in revisions if one.metadata.name == params.replica_set]
        if not found:
            message = f"replica set {params.replica_set} of {ctx.target} is gone: no way back to it"
            raise PermanentError(message)
        patch = _patch(deployment, found[0], ctx.key)
        await self._workloads.patch(namespace, name, patch, dry_run=ctx.dry_run)
        return _outcome(params, ctx)

    async def settle(self, params: RolloutUndoParams, ctx: StepContext) -> Outcome | None:
        """The stamp of this step is on the deployment, or it was not done."""
        found = await self._workloads.get(*deployment_of(ctx))
        if found.metadata.annotations.get(STEP) == ctx.key:
            return _outcome(params, ctx)
        return Outcome(result=Result.FAILED, summary=f"{ctx.target} was not rolled back")

    def undo(self, params: RolloutUndoParams, outcome: Outcome) -> Undo | None:
        """Forward again to the revision that it was."""
        if params.previous is None or outcome.result is Result.SKIPPED:
            return None
        forward = RolloutUndoParams(replica_set=params.previous, previous=params.replica_set)
        return Undo(action=self.name, params=forward)


def _choose(
    revisions: Sequence[ReplicaSet], wanted: int | None, deployment: Deployment, ctx: StepContext
) -> ReplicaSet:
    known = ", ".join(str(one.revision) for one in revisions if one.revision) or "none"
    if wanted == deployment.revision:
        message = f"{ctx.target} is at revision {wanted} already"
        raise PermanentError(message)
    if wanted is not None:
        found = [one for one in revisions if one.revision == wanted]
    else:
        found = [one for one in revisions if 0 < one.revision < deployment.revision][-1:]
    if not found:
        what = "an older revision" if wanted is None else f"revision {wanted}"
        message = f"{ctx.target} has not {what}; known are: {known}"
        raise PermanentError(message)
    return found[0]


def _patch(deployment: Deployment, revision: ReplicaSet, key: str) -> list[Object]:
    """The stamp stands on the deployment: inside the template it would make a new revision."""
    template: Any = copy.deepcopy(revision.spec.template)
    template.get("metadata", {}).get("labels", {}).pop(_HASH, None)
    stamps = {**deployment.metadata.annotations, STEP: key}
    return [
        {"op": "replace", "path": "/spec/template", "value": template},
        {"op": "add", "path": "/metadata/annotations", "value": stamps},
    ]


def _outcome(params: RolloutUndoParams, ctx: StepContext) -> Outcome:
    what = f"{ctx.target} to replica set {params.replica_set}"
    what += f" (revision {params.revision})" if params.revision else ""
    evidence: Evidence = {
        "revision": params.revision or 0,
        "replica_set": params.replica_set or "",
        "previous": params.previous or "",
    }
    if ctx.dry_run:
        return Outcome(result=Result.SKIPPED, summary=f"would roll back {what}", evidence=evidence)
    return Outcome(result=Result.SUCCEEDED, summary=f"rolls back {what}", evidence=evidence)
