"""What one generation request cost: for the metrics, the log and the span. Event loop only."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from inference.generation import Order, Piece
from inference.identity import tell
from inference.metrics import Metrics
from inference.sequence import Finish

log = logging.getLogger("inference.api")

_REASONS = {"success": "stop", "cancelled": "abort", "expired": "abort", "error": "error"}


@dataclass(slots=True, kw_only=True)
class Account:
    """From its arrival on. Moments are in seconds of the clock; None for what did not come."""

    metrics: Metrics
    order: Order
    model: str
    operation: str
    """As OpenTelemetry's semantic conventions for generative AI name it."""
    clock: Callable[[], float] = time.monotonic
    tokens: int = 0
    _arrived: float = field(init=False)
    _admitted: float | None = None
    _first: float | None = None
    _last: float = 0.0
    _finish: Finish | None = None

    def __post_init__(self) -> None:
        self._arrived = self.clock()

    def admitted(self) -> None:
        """The wait is over."""
        self._admitted = self.clock()
        metrics = self.metrics
        metrics.observe(metrics.queue_time, self._admitted - self._arrived)
        metrics.prompt_tokens.observe(len(self.order.prompt))
        metrics.max_tokens.observe(self.order.max_tokens)

    def take(self, piece: Piece) -> None:
        """A piece has come from the engine."""
        now = self.clock()
        if self._first is None:
            self._first = now
            self.metrics.observe(self.metrics.first_token, now - self._arrived)
        elif piece.tokens > self.tokens:
            self.metrics.token_gap.observe(now - self._last)
        self.tokens, self._last = piece.tokens, now
        self._finish = piece.finish or self._finish

    def ended(self, status: str) -> None:
        """Whatever became of it. Those who gave up waiting count as well: without them the worst
        minutes would look best. Who was refused has cost nothing.
        """
        self.metrics.requests.labels(status=status).inc()
        self._span(status)
        if status == "rejected":
            return
        now = self.clock()
        self.metrics.observe(self.metrics.latency, now - self._arrived)
        self._stages(status)
        waited = None if self._admitted is None else round(self._admitted - self._arrived, 3)
        log.info(
            "Request ended",
            extra={
                "event": "request",
                "id": self.order.id,
                "status": status,
                "seconds": round(now - self._arrived, 3),
                "queue_seconds": waited,
                "prompt_tokens": len(self.order.prompt),
                "max_tokens": self.order.max_tokens,
                "completion_tokens": self.tokens,
            },
        )

    def _stages(self, status: str) -> None:
        """Under vLLM's names, in its sense: prefill from admission to the first token."""
        if self._admitted is None:
            return
        reason = self._finish.value if status == "success" and self._finish else _REASONS[status]
        self.metrics.finished.labels(finished_reason=reason).inc()
        if self._first is None:
            return
        self.metrics.prefill_time.observe(self._first - self._admitted)
        self.metrics.decode_time.observe(self._last - self._first)
        self.metrics.inference_time.observe(self._last - self._admitted)

    def _span(self, status: str) -> None:
        sampling = self.order.sampling
        told: dict[str, str | int | float] = {
            "inference.status": status,
            "gen_ai.operation.name": self.operation,
            "gen_ai.request.model": self.model,
            "gen_ai.request.max_tokens": self.order.max_tokens,
            "gen_ai.request.temperature": sampling.temperature,
            "gen_ai.request.top_p": sampling.top_p,
            "gen_ai.response.id": self.order.id,
            "gen_ai.usage.input_tokens": len(self.order.prompt),
            "gen_ai.usage.output_tokens": self.tokens,
        }
        if sampling.seed is not None:
            told["gen_ai.request.seed"] = sampling.seed
        tell(told)
