"""The metrics, in a registry of their own; names are a contract with alerts and runbooks.

Gauges are read from the parts at the moment of the scrape, so they cannot lag behind the truth.
"""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

from inference.verify import Reason

_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 7.5, 10, 15, 20, 30, 45, 60, 90, 120)

# How torch, the CUDA driver, the C library and Python put it.
_MEMORY_WORDS = ("out of memory", "allocate memory", "memoryerror")


class Metrics:
    """Counters and histograms to add to, and gauges that ask."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.errors = Counter(
            "error_count", "Errors by category", ["category"], registry=self.registry
        )
        self.requests = Counter(
            "request_count", "Generation requests by outcome", ["status"], registry=self.registry
        )
        self.integrity = Counter(
            "model_integrity_check_failed",
            "Faults found in the files or the answers of a model",
            ["reason"],
            registry=self.registry,
        )
        self.duration = self._histogram(
            "request_duration_seconds", "HTTP requests", ("endpoint", "code")
        )
        self.latency = self._histogram(
            "inference_latency_seconds",
            "Generation requests from arrival to last byte, waiting included",
        )
        self.first_token = self._histogram(
            "inference_first_token_seconds", "From arrival to the first token"
        )
        self.queue_time = self._histogram("inference_queue_seconds", "From arrival to admission")
        self.prompt_tokens = self._sizes("inference_prompt_tokens", "Prompt tokens of a request")
        self.max_tokens = self._sizes("inference_max_tokens", "Tokens a request may generate")
        self.finished = Counter(
            "vllm:request_success",
            "Requests that were admitted, by how they ended",
            ["finished_reason"],
            registry=self.registry,
        )
        self.token_gap = self._histogram(
            "vllm:inter_token_latency_seconds", "Between two tokens of a request"
        )
        self.prefill_time = self._histogram(
            "vllm:request_prefill_time_seconds", "From admission to the first token"
        )
        self.decode_time = self._histogram(
            "vllm:request_decode_time_seconds", "From the first token to the last"
        )
        self.inference_time = self._histogram(
            "vllm:request_inference_time_seconds", "From admission to the last token"
        )
        self.aliases = {
            self.latency: self._histogram("vllm:e2e_request_latency_seconds", "As vLLM names it"),
            self.first_token: self._histogram(
                "vllm:time_to_first_token_seconds", "As vLLM names it"
            ),
            self.queue_time: self._histogram("vllm:request_queue_time_seconds", "As vLLM names it"),
        }
        for category in (
            "ssd",
            "overload",
            "engine",
            "oom",
            "cuda",
            "config",
            "corrupt",
            "integrity",
        ):
            self.errors.labels(category=category)
        for reason in Reason:
            self.integrity.labels(reason=reason)
        for ending in ("stop", "length", "abort", "error"):
            self.finished.labels(finished_reason=ending)
        for status in ("success", "error", "rejected", "cancelled", "invalid", "expired"):
            self.requests.labels(status=status)

    def observe(self, histogram: Histogram, seconds: float) -> None:
        """Add to a histogram and to its alias."""
        histogram.observe(seconds)
        if histogram in self.aliases:
            self.aliases[histogram].observe(seconds)

    def error(self, category: str) -> None:
        """Count one error."""
        self.errors.labels(category=category).inc()

    def unsound(self, reason: str) -> None:
        """Count one fault of a model."""
        self.integrity.labels(reason=reason).inc()
        self.error("integrity")

    def gauge(self, name: str, text: str, read: Callable[[], float]) -> None:
        """A value asked for at every scrape."""
        Gauge(name, text, registry=self.registry).set_function(read)

    def gauges(
        self, name: str, text: str, label: str, reads: dict[str, Callable[[], float]]
    ) -> None:
        """Several values under one name, told apart by a label."""
        gauge = Gauge(name, text, [label], registry=self.registry)
        for value, read in reads.items():
            gauge.labels(value).set_function(read)

    def counter(self, name: str, text: str, read: Callable[[], float]) -> None:
        """A counter that some part already keeps."""
        self.registry.register(_Kept(name, text, read))

    def text(self) -> bytes:
        """The page that Prometheus reads."""
        return generate_latest(self.registry)

    def _sizes(self, name: str, text: str) -> Histogram:
        buckets = [2**power for power in range(3, 18)]
        return Histogram(name, text, buckets=buckets, registry=self.registry)

    def _histogram(self, name: str, text: str, labels: tuple[str, ...] = ()) -> Histogram:
        return Histogram(name, text, labels, buckets=_BUCKETS, registry=self.registry)


class _Kept(Collector):
    """Collector of one counter whose value lives elsewhere."""

    def __init__(self, name: str, text: str, read: Callable[[], float]) -> None:
        self._name, self._text, self._read = name, text, read

    def collect(self) -> list[CounterMetricFamily]:
        return [CounterMetricFamily(self._name, self._text, value=self._read())]


def category_of(error: str) -> str:
    """The category that an engine's error is counted under, by what the libraries say."""
    lowered = error.lower()
    if "nan or infinity" in lowered:
        return "corrupt"
    if any(word in lowered for word in _MEMORY_WORDS):
        return "oom"
    return "cuda" if "cuda" in lowered else "engine"
