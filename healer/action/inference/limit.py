"""inference.limits: how many sequences the servers batch, changed while they run."""

from collections.abc import Mapping, Sequence
from typing import Annotated

from pydantic import Field

from healer.action.contract import StepContext, Undo
from healer.action.inference.server import running_pods, server_of
from healer.action.param import Params
from healer.client.kubernetes.cluster import Kubernetes
from healer.client.kubernetes.permission import allow
from healer.errors import RejectedError, UnavailableError
from healer.model.effect import Effect, Permission
from healer.model.outcome import Evidence, Outcome, Result

_SETTING = "maxNumSeqs"


class LimitsParams(Params):
    """The limit holds until a pod starts anew; to keep it, change the ConfigMap as well.

    `prepare` writes down which pod gets which limit, and which it had.
    """

    max_num_seqs: Annotated[int, Field(ge=1, le=100_000)]
    wanted: Mapping[str, int] | None = None
    previous: Mapping[str, int] | None = None


class Limits:
    """No request is lost: what runs goes on, what waits waits longer."""

    name = "inference.limits"
    effect = Effect.REVERSIBLE
    params = LimitsParams

    def __init__(self, kubernetes: Kubernetes) -> None:
        self._pods = kubernetes.pods

    def permissions(self, params: LimitsParams, *, namespace: str) -> Sequence[Permission]:
        """Finding the pods and speaking to them through the API server."""
        return (
            *allow(namespace, "pods", "list"),
            *allow(namespace, "pods/proxy", "get", "patch"),
        )

    async def prepare(self, params: LimitsParams, ctx: StepContext) -> LimitsParams:
        """Remember what every pod has now."""
        if params.wanted is not None:
            return params
        pods = [pod.name for pod in await running_pods(self._pods, ctx)]
        previous = {pod: await self._limit(pod, ctx) for pod in pods}
        wanted = dict.fromkeys(pods, params.max_num_seqs)
        return params.model_copy(update={"wanted": wanted, "previous": previous})

    async def run(self, params: LimitsParams, ctx: StepContext) -> Outcome:
        """Set it pod by pod; a pod that has gone since needs none."""
        changed: list[str] = []
        for pod, limit in (params.wanted or {}).items():
            if not ctx.dry_run and not await self._set(pod, limit, ctx):
                continue
            changed.append(pod)
        return _outcome(params, changed, ctx)

    async def settle(self, params: LimitsParams, ctx: StepContext) -> Outcome | None:
        """Done where all that are left have it, not done where none has; else unknown."""
        now = {pod: await self._known(pod, ctx) for pod in params.wanted or {}}
        left = {pod: limit for pod, limit in now.items() if limit is not None}
        if all((params.wanted or {})[pod] == limit for pod, limit in left.items()):
            return _outcome(params, list(left), ctx)
        if all((params.previous or {}).get(pod) == limit for pod, limit in left.items()):
            return Outcome(result=Result.FAILED, summary="the limits are unchanged")
        return None

    def undo(self, params: LimitsParams, outcome: Outcome) -> Undo | None:
        """Every pod gets what it had."""
        if not params.previous or outcome.result is Result.SKIPPED:
            return None
        back = params.model_copy(update={"wanted": params.previous, "previous": params.wanted})
        return Undo(action=self.name, params=back)

    async def _limit(self, pod: str, ctx: StepContext) -> int:
        found = (await server_of(self._pods, pod, ctx).config()).get(_SETTING)
        if not isinstance(found, int):
            message = f"the inference server of pod {pod} tells no {_SETTING}"
            raise UnavailableError(message)
        return found

    async def _known(self, pod: str, ctx: StepContext) -> int | None:
        try:
            return await self._limit(pod, ctx)
        except RejectedError as error:
            _excuse_gone(error)
            return None

    async def _set(self, pod: str, limit: int, ctx: StepContext) -> bool:
        try:
            await server_of(self._pods, pod, ctx).configure({_SETTING: limit})
        except RejectedError as error:
            _excuse_gone(error)
            return False
        return True


def _excuse_gone(error: RejectedError) -> None:
    """A pod that is no more is no failure; any other refusal is."""
    if error.reason != "NotFound":
        raise error


def _outcome(params: LimitsParams, pods: Sequence[str], ctx: StepContext) -> Outcome:
    limits = sorted(set((params.wanted or {}).values()))
    before = sorted(set((params.previous or {}).values()))
    change = f"{_SETTING} of {len(pods)} pods from {_listed(before)} to {_listed(limits)}"
    evidence: Evidence = {"pods": list(pods), "max_num_seqs": limits[0] if limits else 0}
    if ctx.dry_run:
        return Outcome(result=Result.SKIPPED, summary=f"would set {change}", evidence=evidence)
    return Outcome(result=Result.SUCCEEDED, summary=f"set {change}", evidence=evidence)


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers)) or "nothing"
