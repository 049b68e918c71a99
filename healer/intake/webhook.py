"""POST /webhook/alertmanager: prove that it can be read, and answer 200 once it is on disk."""

from dataclasses import dataclass

from aiohttp import web
from prometheus_client import CollectorRegistry, Counter

from healer.errors import TemporaryError, TimelineError
from healer.intake.auth import WebhookDoor
from healer.intake.contract import Desk
from healer.intake.limit import FullError, Gate, Limits
from healer.intake.payload import PayloadError, prove
from healer.intake.reply import RefusedError, read, reply, retry_later


class Counters:
    """What the edge itself counts. All else is counted from timeline entries."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._webhooks = Counter(
            "healer_webhooks", "Deliveries by answer.", ["code"], registry=registry
        )
        self._answers: dict[int, Counter] = {}

    def answered(self, code: int) -> None:
        """One delivery was answered."""
        child = self._answers.get(code)
        if child is None:
            child = self._answers[code] = self._webhooks.labels(str(code))
        child.inc()


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """The receiver. Alertmanager tries again on 5xx only, and takes every 4xx for final."""

    desk: Desk
    door: WebhookDoor
    gate: Gate
    limits: Limits
    counters: Counters

    async def handle(self, request: web.Request) -> web.Response:
        """One delivery."""
        code = 500
        try:
            response = reply(await self._receive(request))
            code = 200
        except RefusedError as error:
            response = error.response()
            code = error.status
        finally:
            self.counters.answered(code)
        return response

    async def _receive(self, request: web.Request) -> dict[str, int]:
        refusal = self.door.refusal(request)
        if refusal:
            challenges = tuple(("WWW-Authenticate", offer) for offer in self.door.challenges)
            raise RefusedError(401, refusal, headers=challenges)
        try:
            with self.gate.slot() as slot:
                body = await read(request, slot, self.limits)
                alerts = prove(body)
                number = await self.desk.deliver(body)
        except PayloadError as error:
            raise RefusedError(400, error.problem, details={"where": error.where}) from None
        except (FullError, TimelineError, TemporaryError) as error:
            raise retry_later(str(error), self.limits) from error
        return {"delivery": number, "alerts": alerts}
