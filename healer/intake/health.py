"""/healthz, /readyz and /metrics: what kubelet and Prometheus ask. Open to all, without secrets."""

from collections.abc import Sequence
from dataclasses import dataclass

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from healer.intake.contract import Desk
from healer.intake.reply import reply


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """Alive is being able to answer; ready is being able to record."""

    desk: Desk
    registry: CollectorRegistry

    def routes(self) -> Sequence[web.RouteDef]:
        """All of them."""
        return (
            web.get("/healthz", self.alive),
            web.get("/readyz", self.ready),
            web.get("/metrics", self.metrics),
        )

    async def alive(self, request: web.Request) -> web.Response:
        """The loop turns."""
        return reply({"status": "ok"})

    async def ready(self, request: web.Request) -> web.Response:
        """503 with the reason while alerts could not be recorded."""
        reason = self.desk.ready()
        return reply({"ready": not reason, "reason": reason}, status=503 if reason else 200)

    async def metrics(self, request: web.Request) -> web.Response:
        """In the format that the scraper prefers."""
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return web.Response(body=encode(self.registry), headers={"Content-Type": content_type})
