"""cert-manager.renew: ask cert-manager for a new certificate, as `cmctl renew` does.

By the condition `Issuing`. To delete the Certificate does not always bring it back: only an
ingress-shim or a GitOps tool makes it anew, and then with the old Secret still thought good.
"""

from collections.abc import Sequence
from datetime import timedelta

from healer.action.contract import StepContext, Undo
from healer.action.param import ObjectName, Params
from healer.client.kubernetes.certificate import ISSUING, Certificate
from healer.client.kubernetes.cluster import Kubernetes
from healer.client.kubernetes.permission import CLUSTER, allow
from healer.errors import PermanentError, StepTimeoutError, TemporaryError
from healer.kit.clock import Clock
from healer.model.effect import Effect, Permission
from healer.model.outcome import Evidence, Outcome, Result

_EVERY = timedelta(seconds=1)


class RenewParams(Params):
    """Which Certificate; `prepare` writes of which revision it was before."""

    certificate: ObjectName
    namespace: ObjectName | None = None
    revision: int | None = None


class Renew:
    """Done means that a later revision was issued. Until then the old certificate stays in use."""

    name = "cert-manager.renew"
    effect = Effect.DISRUPTIVE
    params = RenewParams

    def __init__(self, kubernetes: Kubernetes, *, clock: Clock) -> None:
        self._certificates = kubernetes.certificates
        self._clock = clock

    def permissions(self, params: RenewParams, *, namespace: str) -> Sequence[Permission]:
        """That Certificate and its status, and reading who signs for it."""
        where, names = params.namespace or namespace, (params.certificate,)
        return (
            *allow(where, "certificates", "get", names=names),
            *allow(where, "certificates/status", "patch", names=names),
            *allow(where, "issuers", "get"),
            *allow(CLUSTER, "clusterissuers", "get"),
        )

    async def prepare(self, params: RenewParams, ctx: StepContext) -> RenewParams:
        """Refuse where nobody could sign: the request would only hang there."""
        if params.revision is not None:
            return params
        found = await self._get(params, ctx)
        if trouble := await self._certificates.trouble_of(found):
            message = f"certificate {params.certificate} cannot be renewed: {trouble}"
            raise PermanentError(message)
        return params.model_copy(update={"revision": found.status.revision})

    async def run(self, params: RenewParams, ctx: StepContext) -> Outcome:
        """Ask, unless it was asked for already; then look every second until it is there."""
        found = await self._get(params, ctx)
        if not found.issuing and not _renewed(found, params):
            await self._certificates.mark(found, self._wish(found), dry_run=ctx.dry_run)
        if ctx.dry_run:
            summary = f"would have cert-manager renew certificate {params.certificate}"
            return Outcome(result=Result.SKIPPED, summary=summary)
        progress = "nothing was seen of it"
        while self._clock.now() < ctx.deadline:
            try:
                found = await self._get(params, ctx)
            except TemporaryError as error:
                progress = str(error)
            else:
                if _renewed(found, params):
                    return _done(found, params)
                if refused := _refused(found):
                    return Outcome(result=Result.FAILED, summary=refused, evidence=_facts(found))
                progress = _progress(found)
            await self._clock.sleep(_EVERY)
        message = f"certificate {params.certificate} was not renewed in time: {progress}"
        raise StepTimeoutError(message)

    async def settle(self, params: RenewParams, ctx: StepContext) -> Outcome | None:
        """A later revision, or not yet; to ask again for what was asked for does no harm."""
        found = await self._get(params, ctx)
        if _renewed(found, params):
            return _done(found, params)
        summary = f"certificate {params.certificate} was not renewed: {_progress(found)}"
        return Outcome(result=Result.FAILED, summary=summary, evidence=_facts(found))

    def undo(self, params: RenewParams, outcome: Outcome) -> Undo | None:
        """The old one is still valid and was replaced: there is nothing to go back to."""
        return None

    async def _get(self, params: RenewParams, ctx: StepContext) -> Certificate:
        namespace = params.namespace or ctx.target.namespace
        return await self._certificates.get(namespace, params.certificate)

    def _wish(self, found: Certificate) -> dict[str, object]:
        return {
            "type": ISSUING,
            "status": "True",
            "reason": "ManuallyTriggered",
            "message": "Certificate re-issuance manually triggered by healer",
            "observedGeneration": found.metadata.generation,
            "lastTransitionTime": f"{self._clock.now():%Y-%m-%dT%H:%M:%SZ}",
        }


def _renewed(found: Certificate, params: RenewParams) -> bool:
    return not found.issuing and found.status.revision > (params.revision or 0)


def _refused(found: Certificate) -> str:
    """What the issuer said, where it said no; '' while it may still come."""
    told = found.condition(ISSUING)
    if told is None or told.status == "True":
        return ""
    return f"certificate {found.metadata.name} was not renewed: {told.message or told.reason}"


def _progress(found: Certificate) -> str:
    told = found.condition(ISSUING)
    if told is None:
        return f"it is still revision {found.status.revision}, and no new one is being made"
    return told.message or told.reason or "a new one is being made"


def _done(found: Certificate, params: RenewParams) -> Outcome:
    until = f", until {found.status.not_after:%Y-%m-%d}" if found.status.not_after else ""
    summary = (
        f"cert-manager renewed certificate {params.certificate}:"
        f" revision {found.status.revision}{until}"
    )
    return Outcome(result=Result.SUCCEEDED, summary=summary, evidence=_facts(found))


def _facts(found: Certificate) -> Evidence:
    until = found.status.not_after
    return {
        "certificate": found.metadata.name,
        "revision": found.status.revision,
        "not_after": until.isoformat() if until else "",
    }
