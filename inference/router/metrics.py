"""What a router counts; the names are a contract with alert rules and runbooks."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from inference.router.choice import Reason

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
NOWHERE = "none"
"""The expert of a request that no expert took."""
FAILED = "failed"
"""Why a request went to the fallback: its expert did not take it."""


class Metrics:
    """Counters to add to, and gauges that ask."""

    def __init__(self, experts: list[str]) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "routing_requests", "Requests by who took them", ["expert"], registry=self.registry
        )
        self.fallbacks = Counter(
            "routing_fallbacks",
            "Requests that went to the fallback for want of a better expert",
            ["reason"],
            registry=self.registry,
        )
        self.errors = Counter(
            "routing_errors",
            "Requests that no expert took, or whose expert broke off",
            ["reason"],
            registry=self.registry,
        )
        self.latency = Histogram(
            "routing_latency_seconds", "Time to choose an expert", buckets=_BUCKETS,
            registry=self.registry,
        )  # fmt: skip
        for expert in (*experts, NOWHERE):
            self.requests.labels(expert=expert)
        for reason in (*Reason, FAILED):
            self.fallbacks.labels(reason=reason)
        for reason in ("unreachable", "broken"):
            self.errors.labels(reason=reason)

    def gauges(
        self, name: str, text: str, label: str, reads: dict[str, Callable[[], float]]
    ) -> None:
        """Values asked for at every scrape, told apart by a label."""
        gauge = Gauge(name, text, [label], registry=self.registry)
        for value, read in reads.items():
            gauge.labels(value).set_function(read)

    def text(self) -> bytes:
        """The page that Prometheus reads."""
        return generate_latest(self.registry)
