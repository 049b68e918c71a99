"""kubernetes.configmap-patch: change one key of a ConfigMap. What reads it is restarted apart."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import BeforeValidator, StringConstraints

from healer.action.contract import StepContext, Undo
from healer.action.param import ObjectName, Params
from healer.client.kubernetes.cluster import Kubernetes
from healer.errors import PermanentError
from healer.model.effect import Effect, Permission
from healer.model.outcome import Evidence, Outcome, Result

_LONGEST = 64 * 1024


def _text(value: object) -> object:
    """ConfigMaps hold text only: YAML's 128 and true are meant as "128" and "true"."""
    match value:
        case bool():
            return str(value).lower()
        case int() | float():
            return str(value)
        case _:
            return value


class ConfigMapPatchParams(Params):
    """`value: null` removes the key. `prepare` writes what was there before."""

    name: ObjectName
    key: Annotated[str, StringConstraints(pattern=r"^[-._a-zA-Z0-9]{1,253}$")]
    value: Annotated[str | None, BeforeValidator(_text)]
    previous: str | None = None
    prepared: bool = False


class ConfigMapPatch:
    """The other keys stay as they are; the old value comes back on undo."""

    name = "kubernetes.configmap-patch"
    effect = Effect.REVERSIBLE
    params = ConfigMapPatchParams

    def __init__(self, kubernetes: Kubernetes) -> None:
        self._workloads = kubernetes.workloads

    def permissions(self, params: ConfigMapPatchParams, *, namespace: str) -> Sequence[Permission]:
        """Reading and patching that ConfigMap, and no other."""
        return tuple(
            Permission(
                group="",
                resource="configmaps",
                verb=verb,
                namespace=namespace,
                names=(params.name,),
            )
            for verb in ("get", "patch")
        )

    async def prepare(self, params: ConfigMapPatchParams, ctx: StepContext) -> ConfigMapPatchParams:
        """Remember what was."""
        if params.prepared:
            return params
        found = await self._workloads.config(ctx.target.namespace, params.name)
        if found.immutable:
            message = f"configmap {params.name} is immutable: it cannot be changed, only replaced"
            raise PermanentError(message)
        previous = found.data.get(params.key)
        if previous is not None and len(previous) > _LONGEST:
            message = f"{params.key} of configmap {params.name} is too long to be remembered"
            raise PermanentError(message)
        return params.model_copy(update={"previous": previous, "prepared": True})

    async def run(self, params: ConfigMapPatchParams, ctx: StepContext) -> Outcome:
        """A merge patch: doing it twice is doing it once."""
        await self._workloads.set_config(
            ctx.target.namespace, params.name, {params.key: params.value}, dry_run=ctx.dry_run
        )
        return _outcome(params, ctx)

    async def settle(self, params: ConfigMapPatchParams, ctx: StepContext) -> Outcome | None:
        """Done if it is as wanted, not done if it is as before; else somebody else was here."""
        found = await self._workloads.config(ctx.target.namespace, params.name)
        now = found.data.get(params.key)
        if now == params.value:
            return _outcome(params, ctx)
        if now == params.previous:
            summary = f"{params.key} of configmap {params.name} is unchanged"
            return Outcome(result=Result.FAILED, summary=summary)
        return None

    def undo(self, params: ConfigMapPatchParams, outcome: Outcome) -> Undo | None:
        """Put the old value back, or remove the key where there was none."""
        if not params.prepared or outcome.result is Result.SKIPPED:
            return None
        back = params.model_copy(update={"value": params.previous, "previous": params.value})
        return Undo(action=self.name, params=back)


def _outcome(params: ConfigMapPatchParams, ctx: StepContext) -> Outcome:
    change = f"{params.key} of configmap {params.name} from {_shown(params.previous)}"
    change += f" to {_shown(params.value)}"
    evidence: Evidence = {"key": params.key, "changed": params.previous != params.value}
    if ctx.dry_run:
        return Outcome(result=Result.SKIPPED, summary=f"would set {change}", evidence=evidence)
    return Outcome(result=Result.SUCCEEDED, summary=f"set {change}", evidence=evidence)


def _shown(value: str | None) -> str:
    if value is None:
        return "nothing"
    return value if len(value) <= 60 else f"{value[:57]}..."
