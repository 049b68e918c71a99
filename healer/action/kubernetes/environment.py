"""kubernetes.set-env: set or remove one variable of a deployment's container; its pods roll."""

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import StringConstraints

from healer.action.contract import StepContext, Undo
from healer.action.kubernetes.workload import deployment_of, refuse_paused
from healer.action.param import ObjectName, Params
from healer.client.kubernetes.cluster import Kubernetes
from healer.client.kubernetes.object import Deployment, Object
from healer.client.kubernetes.permission import allow
from healer.errors import PermanentError
from healer.model.effect import Effect, Permission
from healer.model.outcome import Evidence, Outcome, Result


class SetEnvParams(Params):
    """`value: null` removes it. Without `container`, the first. `prepare` writes what was before.

    Nothing secret: the value stands in the timeline.
    """

    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,252}$")]
    value: Annotated[str, StringConstraints(max_length=1024)] | None
    container: ObjectName | None = None
    previous: str | None = None
    prepared: bool = False


class SetEnv:
    """Kubernetes replaces the pods by the deployment's strategy; rollout-status waits for that."""

    name = "kubernetes.set-env"
    effect = Effect.DISRUPTIVE
    params = SetEnvParams

    def __init__(self, kubernetes: Kubernetes) -> None:
        self._workloads = kubernetes.workloads

    def permissions(self, params: SetEnvParams, *, namespace: str) -> Sequence[Permission]:
        """Reading and patching the deployment."""
        return allow(namespace, "deployments", "get", "patch")

    async def prepare(self, params: SetEnvParams, ctx: StepContext) -> SetEnvParams:
        """Remember what was; refuse what is filled from elsewhere, such as a Secret."""
        if params.prepared:
            return params
        found = await self._workloads.get(*deployment_of(ctx))
        refuse_paused(found, ctx)
        container = _container(found, params.container, ctx)
        before = _variable(container, params.name)
        if before and "valueFrom" in before:
            message = f"{params.name} of {ctx.target} is filled from elsewhere: it is not replaced"
            raise PermanentError(message)
        previous = None if before is None else str(before.get("value") or "")
        name = str(container["name"])
        known = {"container": name, "previous": previous, "prepared": True}
        return params.model_copy(update=known)

    async def run(self, params: SetEnvParams, ctx: StepContext) -> Outcome:
        """A strategic patch: doing it twice is doing it once."""
        variable: Object = {"name": params.name, "value": params.value}
        if params.value is None:
            variable = {"name": params.name, "$patch": "delete"}
        containers = [{"name": params.container, "env": [variable]}]
        patch = {"spec": {"template": {"spec": {"containers": containers}}}}
        if params.value != params.previous:
            await self._workloads.patch(*deployment_of(ctx), patch, dry_run=ctx.dry_run)
        return _outcome(params, ctx)

    async def settle(self, params: SetEnvParams, ctx: StepContext) -> Outcome | None:
        """Done if it is as wanted, not done if it is as before; else somebody else was here."""
        found = await self._workloads.get(*deployment_of(ctx))
        variable = _variable(_container(found, params.container, ctx), params.name)
        now = None if variable is None else str(variable.get("value") or "")
        if now == params.value:
            return _outcome(params, ctx)
        if now == params.previous:
            summary = f"{params.name} of {ctx.target} is unchanged"
            return Outcome(result=Result.FAILED, summary=summary)
        return None

    def undo(self, params: SetEnvParams, outcome: Outcome) -> Undo | None:
        """Put the old value back, or remove it where there was none."""
        if not params.prepared or outcome.result is Result.SKIPPED:
            return None
        back = params.model_copy(update={"value": params.previous, "previous": params.value})
        return Undo(action=self.name, params=back)


def _container(found: Deployment, name: str | None, ctx: StepContext) -> Object:
    spec: Any = found.spec.template.get("spec") or {}
    containers: list[Object] = spec.get("containers") or []
    fitting = [one for one in containers if name in (None, one.get("name"))]
    if not fitting:
        message = f"{ctx.target} has no container {name or 'at all'}"
        raise PermanentError(message)
    return fitting[0]


def _variable(container: Object, name: str) -> Object | None:
    variables: list[Object] = container.get("env") or []
    return next((one for one in variables if one.get("name") == name), None)


def _outcome(params: SetEnvParams, ctx: StepContext) -> Outcome:
    change = f"{params.name} of {ctx.target} from {_shown(params.previous)}"
    change += f" to {_shown(params.value)}"
    evidence: Evidence = {"name": params.name, "changed": params.previous != params.value}
    if ctx.dry_run:
        return Outcome(result=Result.SKIPPED, summary=f"would set {change}", evidence=evidence)
    return Outcome(result=Result.SUCCEEDED, summary=f"set {change}", evidence=evidence)


def _shown(value: str | None) -> str:
    return "nothing" if value is None else repr(value)
