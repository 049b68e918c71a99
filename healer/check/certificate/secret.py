"""kubernetes.tls-secret as a check: does a Secret hold a sound certificate that could be used?"""

from collections.abc import Sequence
from datetime import timedelta

from healer.check.contract import CheckContext, Kinds
from healer.check.param import ObjectName, Params
from healer.client.kubernetes.cluster import Kubernetes
from healer.client.kubernetes.permission import allow
from healer.errors import PermanentError
from healer.kit.certificate import Certificate
from healer.kit.clock import Clock
from healer.kit.duration import Duration
from healer.model.effect import Permission
from healer.model.outcome import Finding

_DAY = timedelta(days=1)


class TlsSecretParams(Params):
    """Sound is what is valid now and for `at_least` more, and made out for `covers`, if given."""

    secret: ObjectName
    namespace: ObjectName | None = None
    covers: str = ""
    at_least: Duration = timedelta(days=7)


class TlsSecret:
    """Holds if it is sound. Evidence: present, sound, days_left, fingerprint, why (it is not)."""

    name = "kubernetes.tls-secret"
    params = TlsSecretParams
    evidence = Kinds(
        {
            **dict.fromkeys(("present", "sound"), bool),
            "days_left": float,
            **dict.fromkeys(("fingerprint", "why"), str),
        }
    )

    def __init__(self, kubernetes: Kubernetes, *, clock: Clock) -> None:
        self._secrets = kubernetes.secrets
        self._clock = clock

    def permissions(self, params: TlsSecretParams, *, namespace: str) -> Sequence[Permission]:
        """That Secret, and no other."""
        return allow(params.namespace or namespace, "secrets", "get", names=(params.secret,))

    async def look(self, params: TlsSecretParams, ctx: CheckContext) -> Finding:
        """Read it; neither the certificate nor its key is told."""
        namespace = params.namespace or ctx.target.namespace
        secret = await self._secrets.find(namespace, params.secret)
        if secret is None:
            return _finding(ctx, why=f"there is no secret {namespace}/{params.secret}")
        try:
            found = secret.certificate()
        except PermanentError as error:
            return _finding(ctx, why=str(error), present=True)
        days = (found.not_after - self._clock.now()) / _DAY
        return _finding(ctx, why=self._fault(found, params), present=True, found=found, days=days)

    def _fault(self, found: Certificate, params: TlsSecretParams) -> str:
        now = self._clock.now()
        if found.not_before > now:
            return f"it holds only from {found.not_before:%Y-%m-%d %H:%M} UTC on"
        if found.not_after < now + params.at_least:
            return f"it holds only until {found.not_after:%Y-%m-%d %H:%M} UTC"
        if params.covers and not found.covers(params.covers):
            return f"it is not made out for {params.covers}"
        return ""


def _finding(
    ctx: CheckContext,
    *,
    why: str,
    present: bool = False,
    found: Certificate | None = None,
    days: float = 0.0,
) -> Finding:
    return Finding(
        check=ctx.id,
        holds=not why,
        summary=why or f"a sound certificate lies ready, for {days:.0f} days",
        evidence={
            "present": present,
            "sound": not why,
            "days_left": days,
            "fingerprint": found.fingerprint if found else "",
            "why": why,
        },
    )
