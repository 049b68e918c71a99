"""tls.handshake: what a server really shows to its clients, whatever a metric says of it."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated

from pydantic import StringConstraints

from healer.check.contract import CheckContext, Kinds
from healer.check.param import Params
from healer.client.tls import handshake
from healer.kit.clock import Clock
from healer.kit.duration import Duration
from healer.model.effect import Permission
from healer.model.outcome import Finding

_DAY = timedelta(days=1)


class HandshakeParams(Params):
    """`address` is `host:port`; `name` is the host that clients ask for, where it is another."""

    address: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9.-]+:[0-9]{1,5}$")]
    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9.-]*$")] = ""
    timeout: Duration = timedelta(seconds=10)


class Handshake:
    """Holds while the certificate is valid and made out for that name.

    Evidence: days_left (negative once it has expired), not_after, issuer, subject, names, covers,
    fingerprint. Behind a balancer it is the certificate of whichever server answered.
    """

    name = "tls.handshake"
    params = HandshakeParams
    evidence = Kinds(
        {
            "days_left": float,
            **dict.fromkeys(("not_after", "issuer", "subject", "fingerprint"), str),
            "names": list[str],
            "covers": bool,
        }
    )

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def permissions(self, params: HandshakeParams, *, namespace: str) -> Sequence[Permission]:
        """None of the cluster's: it is a client like any other."""
        return ()

    async def look(self, params: HandshakeParams, ctx: CheckContext) -> Finding:
        """One handshake."""
        host, _, port = params.address.rpartition(":")
        shown = await handshake(host, int(port), server_name=params.name, timeout=params.timeout)
        now = self._clock.now()
        covers = shown.covers(params.name or host)
        days = (shown.not_after - now) / _DAY
        wrong = "" if covers else f", and is not made out for {params.name or host}"
        return Finding(
            check=ctx.id,
            holds=covers and shown.not_before <= now < shown.not_after,
            summary=(
                f"{params.address} shows a certificate of {shown.issuer} until"
                f" {shown.not_after:%Y-%m-%d %H:%M} UTC ({days:.1f} days){wrong}"
            ),
            evidence={
                "days_left": days,
                "not_after": shown.not_after.isoformat(),
                "issuer": shown.issuer,
                "subject": shown.subject,
                "names": list(shown.names),
                "covers": covers,
                "fingerprint": shown.fingerprint,
            },
        )
