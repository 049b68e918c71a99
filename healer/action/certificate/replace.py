"""kubernetes.tls-secret: put the certificate that people laid ready into the Secret in use.

Certificate and key go from Secret to Secret; neither is a parameter, and neither is written down.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from healer.action.contract import StepContext, Undo
from healer.action.param import ObjectName, Params
from healer.client.kubernetes.cluster import Kubernetes
from healer.client.kubernetes.permission import allow
from healer.errors import PermanentError
from healer.kit.certificate import Certificate
from healer.kit.clock import Clock
from healer.kit.duration import Duration
from healer.model.effect import Effect, Permission
from healer.model.outcome import Evidence, Outcome, Result


class ReplaceParams(Params):
    """`source` must be valid for `at_least` more. `prepare` writes the fingerprints of both.

    `restoring`: the source is what was kept in the Secret itself.
    """

    secret: ObjectName
    source: ObjectName
    namespace: ObjectName | None = None
    at_least: Duration = timedelta(days=7)
    wanted: str | None = None
    previous: str | None = None
    restoring: bool = False


class Replace:
    """What was there is kept in the same Secret, under names of its own, and comes back on undo."""

    name = "kubernetes.tls-secret"
    effect = Effect.DISRUPTIVE
    params = ReplaceParams

    def __init__(self, kubernetes: Kubernetes, *, clock: Clock) -> None:
        self._secrets = kubernetes.secrets
        self._clock = clock

    def permissions(self, params: ReplaceParams, *, namespace: str) -> Sequence[Permission]:
        """Those two Secrets by name, and no other."""
        where = params.namespace or namespace
        return (
            *allow(where, "secrets", "get", names=(params.secret, params.source)),
            *allow(where, "secrets", "patch", names=(params.secret,)),
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
        """One patch, that keeps what is there and replaces it. Doing it twice is doing it once."""
        namespace = params.namespace or ctx.target.namespace
        target = await self._secrets.get(namespace, params.secret)
        if target.certificate().fingerprint == params.wanted:
            return _outcome(params, ctx, target.certificate())
        source = target.kept
        if not params.restoring:
            source = await self._secrets.get(namespace, params.source)
        new = source.certificate()
        if new.fingerprint != params.wanted:
            message = f"secret {namespace}/{params.source} was changed meanwhile: nothing was done"
            raise PermanentError(message)
        kept: Mapping[str, str] = {} if params.restoring else target.pair
        await self._secrets.replace(
            namespace, params.secret, source.pair, keep=kept, dry_run=ctx.dry_run
        )
        return _outcome(params, ctx, new)

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
                "source": params.secret,
                "wanted": params.previous,
                "previous": params.wanted,
                "restoring": True,
            }
        )
        return Undo(action=self.name, params=back)


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
    }
    until = f"until {now.not_after:%Y-%m-%d}"
    if ctx.dry_run:
        summary = f"would replace the certificate in secret {params.secret} by that of"
        summary += f" {params.source}, {until}"
        return Outcome(result=Result.SKIPPED, summary=summary, evidence=evidence)
    whose = "it held before" if params.restoring else f"of {params.source}"
    summary = f"secret {params.secret} holds the certificate {whose} now, {until}"
    summary += "" if params.restoring else "; the one before is kept beside it"
    return Outcome(result=Result.SUCCEEDED, summary=summary, evidence=evidence)
