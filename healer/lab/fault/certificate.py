"""expiring-certificate and its kin: a front that really shows a certificate near its end (INC-006).

Certificates are issued by the lab's own authority, whose key lies in the cluster; everything is
done through the Kubernetes API, as people with the rights to do so would.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from healer.errors import PermanentError
from healer.lab.authority import issue, pair_of
from healer.lab.fault.contract import Say
from healer.lab.remote import Remote
from healer.lab.site import SITES, TLS_NAME, Site

SEEN_WITHIN = 60.0
WEEK = timedelta(days=7)
NEAR, LONG = timedelta(days=5), timedelta(days=90)
SOON = timedelta(seconds=8)
"""How long before the alert the metric must have gone old."""
ALERT, HOLD = "CertificateExpiringSoon", timedelta(minutes=5)
METRIC = "probe_ssl_earliest_cert_expiry"
USED, NEXT = "largeforge-tls", "largeforge-tls-next"
AUTHORITY, KEEPER = "largeforge-ca", "largeforge-tls"
PROBER, FRONT = "tls-prober", "app=largeforge-ingress"


class Story(StrEnum):
    """Why the alert fires."""

    KEPT = "kept"
    BROKEN = "broken"
    MANUAL = "manual"
    FORGOTTEN = "forgotten"
    STALE = "stale"
    PASSING = "passing"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpiringCertificate:
    """Five days are left, or seem to be. The end puts all of it right."""

    name: str
    story: Story
    service: str = "largeforge"
    lasts: bool = True

    @contextlib.asynccontextmanager
    async def strike(self, remote: Remote, *, say: Say) -> AsyncGenerator[None]:
        """Returns once the prober has seen it, or once it has passed by itself."""
        scene = _Scene(remote, SITES[self.service], say)
        try:
            await self._make(scene)
            yield
        finally:
            await scene.mend()

    async def _make(self, scene: "_Scene") -> None:
        match self.story:
            case Story.KEPT:
                await scene.show(NEAR)
            case Story.BROKEN:
                await scene.lose_the_authority()
            case Story.MANUAL:
                await scene.keep_by_hand()
                await scene.lay_ready(LONG)
                await scene.show(NEAR)
            case Story.FORGOTTEN:
                await scene.keep_by_hand()
                await scene.show(NEAR)
            case Story.STALE:
                await scene.go_stale()
            case Story.PASSING:
                await scene.pass_by()


class _Scene:
    """What can be done to the certificate, its keeper, the front and the prober."""

    def __init__(self, remote: Remote, site: Site, say: Say) -> None:
        self._remote = remote
        self._site = site
        self._say = say
        self._mending: list[Callable[[], Awaitable[None]]] = []

    async def mend(self) -> None:
        """Everything as it was, the last change first; and a certificate that holds for long."""
        for undo in reversed(self._mending):
            await undo()
        await self._put(USED, LONG)

    async def show(self, left: timedelta) -> None:
        """The front shows a certificate with so much time left, and the prober has seen it."""
        await self._put(USED, left)
        self._say(f"{TLS_NAME} shows a certificate now that expires in {left.days} days.")
        await self._seen(f"min({self._series()}) - time() < {WEEK.total_seconds():g}")

    async def lose_the_authority(self) -> None:
        """The Secret of the issuer's authority holds no key any more."""
        near = await self._draft(NEAR)
        found = await self._secret(AUTHORITY)
        key = found["data"]["tls.key"]
        await self._write(AUTHORITY, {"tls.key": found["data"]["tls.crt"]})
        self._mending.append(lambda: self._write(AUTHORITY, {"tls.key": key}))
        self._say("The issuer has lost the key of its authority.")
        await self._write(USED, near)
        await self._seen(f"min({self._series()}) - time() < {WEEK.total_seconds():g}")

    async def keep_by_hand(self) -> None:
        """cert-manager keeps the Secret no more."""
        found = await self._remote.object("certificates", KEEPER, namespace=self._site.namespace)
        await self._remote.delete("certificates", self._site.namespace, KEEPER)
        again = {"metadata": {"name": KEEPER}, "spec": found["spec"]}
        self._mending.append(
            lambda: self._remote.create("certificates", again, namespace=self._site.namespace)
        )
        self._say("cert-manager does not keep this certificate: it is manual.")

    async def lay_ready(self, left: timedelta) -> None:
        """People have put a new one into the Secret that the service's data name."""
        secret = {
            "metadata": {"name": NEXT},
            "type": "kubernetes.io/tls",
            "data": await self._draft(left),
        }
        await self._remote.create("secrets", secret, namespace=self._site.namespace)
        self._mending.append(lambda: self._remove(NEXT))

    async def go_stale(self) -> None:
        """What was probed last is near its end; then the prober dies, and it is renewed."""
        await self._put(USED, WEEK + SOON)
        await self._seen(f"min({self._series()}) - time() < {(WEEK + SOON).total_seconds():g}")
        await self._scale(0)
        self._mending.append(lambda: self._scale(1))
        await self._seen(f"absent({self._series()})")
        await self._put(USED, LONG)
        self._say(f"{TLS_NAME} was renewed; the prober is gone, and its last word is old.")

    async def pass_by(self) -> None:
        """It is renewed while healer looks: the front hangs meanwhile, so looking takes long."""
        await self.show(NEAR)
        since = datetime.now(UTC)
        await self._almost_firing()
        await self._signal("STOP")
        try:
            self._say("The front hangs: handshakes wait.")
            await self._until(lambda: self._opened(since))
            await self._put(USED, LONG)
            await asyncio.sleep(0.5)  # the kubelet brings the files of the Secret meanwhile
        finally:
            await self._signal("CONT")
        self._say("Meanwhile somebody renewed the certificate, and the front answers again.")

    # ------------------------------------------------------------------------------------ by hand

    def _series(self) -> str:
        return f'{METRIC}{{namespace="{self._site.namespace}"}}'

    async def _draft(self, left: timedelta) -> dict[str, str]:
        authority = pair_of(await self._secret(AUTHORITY))
        now = datetime.now(UTC)
        pair = issue(
            authority, [TLS_NAME], not_before=now - timedelta(days=85), not_after=now + left
        )
        return pair.secret(authority=authority.certificate)

    async def _put(self, name: str, left: timedelta) -> None:
        await self._write(name, await self._draft(left))

    async def _secret(self, name: str) -> dict[str, dict[str, str]]:
        return await self._remote.object("secrets", name, namespace=self._site.namespace)

    async def _write(self, name: str, data: dict[str, str]) -> None:
        await self._remote.patch("secrets", name, {"data": data}, namespace=self._site.namespace)

    async def _remove(self, name: str) -> None:
        await self._remote.delete("secrets", self._site.namespace, name)

    async def _scale(self, replicas: int) -> None:
        body = {"spec": {"replicas": replicas}}
        await self._remote.patch("deployments", PROBER, body, namespace=self._site.namespace)

    async def _signal(self, name: str) -> None:
        (pod,) = await self._remote.ready_pods(self._site.namespace, FRONT)
        command = ["sh", "-c", f"kill -{name} $(cat /run/front/pid)"]
        ran = await self._remote.run_in(self._site.namespace, pod, command)
        if ran.code != 0:
            message = f"the front could not be signalled: {ran.output}"
            raise PermanentError(message)

    async def _almost_firing(self) -> None:
        """Just before the alert fires: the prober must not have been blind for long by then."""
        pending: list[datetime] = []

        async def seen() -> bool:
            alerts = await self._remote.alerts()
            ours = (one for one in alerts if one["labels"]["alertname"] == ALERT)
            pending.extend(datetime.fromisoformat(str(one["activeAt"])) for one in ours)
            return bool(pending)

        await self._until(seen)
        fires = pending[0] + max(HOLD / self._remote.state.factor, timedelta(seconds=1))
        left = fires - datetime.now(UTC) - timedelta(seconds=0.5)
        await asyncio.sleep(max(0.0, left.total_seconds()))

    async def _opened(self, since: datetime) -> bool:
        incidents = await self._remote.incidents()
        return any(datetime.fromisoformat(str(one["opened_at"])) >= since for one in incidents)

    async def _seen(self, query: str) -> None:
        async def there() -> bool:
            return await self._remote.query(query) is not None

        await self._until(there)

    async def _until(self, holds: Callable[[], Awaitable[bool]]) -> None:
        try:
            async with asyncio.timeout(SEEN_WITHIN):
                while True:
                    if await holds():
                        return
                    await asyncio.sleep(0.1)
        except TimeoutError:
            message = f"nothing was seen of the certificate within {SEEN_WITHIN:g} s"
            raise PermanentError(message) from None
