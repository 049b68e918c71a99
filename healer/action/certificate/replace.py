"""kubernetes.tls-secret: put the certificate that people laid ready into the Secret in use.

Certificate and key go from Secret to Secret; neither is a parameter, and neither is written down.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from healer.action.contract import StepContext, Undo
from healer.action.param import ObjectName, Params
from healer.client.kubernetes.cluster import Kubernetes
from healer.client.kubernetes.permission import allow
from healer.client.kubernetes.secret import Secret
from healer.errors import PermanentError
from healer.kit.certificate import Certificate
from healer.kit.clock import Clock
from healer.kit.duration import Duration
from healer.model.effect import Effect, Permission
from healer.model.outcome import Evidence, Outcome, Result

_LONGEST = 253
_SUFFIX = "-before-healer"


class ReplaceParams(Params):
    """`source` must be valid for `at_least` more. `prepare` writes the fingerprints of both."""

    secret: ObjectName
    source: ObjectName
    namespace: ObjectName | None = None
    at_least: Duration = timedelta(days=7)
    wanted: str | None = None
    previous: str | None = None
    restoring: bool = False

    @property
    def backup(self) -> str:
        """Where what was in use is kept."""
        return f"{self.secret[: _LONGEST - len(_SUFFIX)]}{_SUFFIX}"


class Replace:
    """What was there is kept in a Secret beside it, and comes back on undo."""

    name = "kubernetes.tls-secret"
    effect = Effect.DISRUPTIVE
    params = ReplaceParams

    def __init__(self, kubernetes: Kubernetes, *, clock: Clock) -> None:
        self._secrets = kubernetes.secrets
        self._clock = clock

    def permissions(self, params: ReplaceParams, *, namespace: str) -> Sequence[Permission]:
        """Those three Secrets by name; only a creation cannot be bound to one."""
        where, own = params.namespace or namespace, (params.secret, params.backup)
        return (
            *allow(where, "secrets", "get", names=(*own, params.source)),
            *allow(where, "secrets", "patch", names=own),
            *allow(where, "secrets", "create"),
        )

    async def prepare(self, params: ReplaceParams, ctx: StepContext) -> ReplaceParams:
        """Refuse, in words, what would leave clients worse off than before."""
        if params.wanted is not None:
            return params
        namespace = params.namespace or ctx.target.namespace
        new = (await self._secrets.get(namespace, params.source)).certificate()
        old = (await self._secrets.get(namespace, params.secret)).certificate()
        if fault := _fault(new, old, params, now=self._clock.now()):
            message = f"the certificate in secret {namespace}/{params.source} is not used: {fault}"
            raise PermanentError(message)
        return params.model_copy(update={"wanted": new.fingerprint, "previous": old.fingerprint})

    async def run(self, params: ReplaceParams, ctx: StepContext) -> Outcome:
        """Keep what is there, then replace it. Doing it twice is doing it once."""
        namespace = params.namespace or ctx.target.namespace
        source = await self._secrets.get(namespace, params.source)
        if source.certificate().fingerprint != params.wanted:
            message = f"secret {namespace}/{params.source} was changed meanwhile: nothing was done"
            raise PermanentError(message)
        target = await self._secrets.get(namespace, params.secret)
        if not (ctx.dry_run or params.restoring):
            await self._keep(namespace, params, target)
        await self._secrets.replace(namespace, params.secret, source.pair, dry_run=ctx.dry_run)
        return _outcome(params, ctx, source.certificate())

    async def settle(self, params: ReplaceParams, ctx: StepContext) -> Outcome | None:
        """The fingerprint tells; one that is neither means that somebody else was here."""
        namespace = params.namespace or ctx.target.namespace
        now = (await self._secrets.get(namespace, params.secret)).certificate()
        if now.fingerprint == params.wanted:
            return _outcome(params, ctx, now)
        if now.fingerprint == params.previous:
            summary = f"secret {params.secret} holds the same certificate as before"
            return Outcome(result=Result.FAILED, summary=summary)
        return None

    def undo(self, params: ReplaceParams, outcome: Outcome) -> Undo | None:
        """Put back what was kept."""
        if params.wanted is None or outcome.result is Result.SKIPPED:
            return None
        back = params.model_copy(
            update={
                "source": params.backup,
                "wanted": params.previous,
                "previous": params.wanted,
                "restoring": True,
            }
        )
        return Undo(action=self.name, params=back)

    async def _keep(self, namespace: str, params: ReplaceParams, target: Secret) -> None:
        """What is in use, unless that is the new one already."""
        if target.certificate().fingerprint == params.wanted:
            return
        if await self._secrets.find(namespace, params.backup) is None:
            await self._secrets.create(namespace, params.backup, target.pair)
        else:
            await self._secrets.replace(namespace, params.backup, target.pair)


def _fault(new: Certificate, old: Certificate, params: ReplaceParams, *, now: datetime) -> str:
    if new.not_before > now:
        return f"it holds only from {new.not_before:%Y-%m-%d %H:%M} UTC on"
    if new.not_after < now + params.at_least or new.not_after <= old.not_after:
        return f"it holds only until {new.not_after:%Y-%m-%d %H:%M} UTC"
    lost = [name for name in old.names if not new.covers(name)]
    return f"it is not made out for {', '.join(lost)}" if lost else ""


def _outcome(params: ReplaceParams, ctx: StepContext, now: Certificate) -> Outcome:
    evidence: Evidence = {
        "secret": params.secret,
        "source": params.source,
        "not_after": now.not_after.isoformat(),
        "fingerprint": now.fingerprint,
        "kept_in": params.backup,
    }
    until = f"until {now.not_after:%Y-%m-%d}"
    if ctx.dry_run:
        summary = f"would replace the certificate in secret {params.secret} by that of"
        summary += f" {params.source}, {until}"
        return Outcome(result=Result.SKIPPED, summary=summary, evidence=evidence)
    summary = f"secret {params.secret} holds the certificate of {params.source} now, {until}"
    summary += "" if params.restoring else f"; the one before is kept in {params.backup}"
    return Outcome(result=Result.SUCCEEDED, summary=summary, evidence=evidence)
