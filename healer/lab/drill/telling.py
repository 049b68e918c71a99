"""The metric that tells of each procedure whether it is well: what a drill plots."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """What is asked, and how it is written beside the axis."""

    query: str
    title: str
    unit: str = ""


TELLING: Mapping[str, Metric] = {
    "INC-001": Metric(
        query='service:inference_latency_seconds:p99_5m{service="largeforge"}',
        title="99th percentile of the latency",
        unit="s",
    ),
    "INC-002": Metric(
        query='service:requests_failed:ratio_rate5m{service="largeforge"}',
        title="share of requests that fail",
    ),
    "INC-003": Metric(
        query='sum(workload:replicas_ready:count{service="largeforge"})', title="replicas ready"
    ),
    "INC-004": Metric(
        query='max(pod:gpu_memory_used:ratio{service="largeforge"})',
        title="GPU memory used, of the fullest",
    ),
    "INC-005": Metric(
        query='service:routing_fallbacks:ratio_rate5m{service="largeforge-router"}',
        title="share of requests that fall back",
    ),
    "INC-006": Metric(
        query='endpoint:certificate_left:days{service="largeforge"}',
        title="time left of the certificate, as probed",
        unit="days",
    ),
    "INC-007": Metric(
        query='service:volume_used:ratio{service="largeforge"}', title="share of the volume used"
    ),
    "SCENARIO-1": Metric(
        query='max(circuit_breaker_state{service="llm-inference"})',
        title="circuit breaker (0 closed, 1 open, 2 half-open)",
    ),
    "SCENARIO-2": Metric(
        query='1000 * min(health_ssd_free_space_gb{service="llm-inference"})',
        title="free space on the volume",
        unit="MB",
    ),
    "SCENARIO-3": Metric(
        query='max(process_resident_memory_bytes{service="llm-inference"}) / 1048576',
        title="memory of the largest server",
        unit="MiB",
    ),
    "SCENARIO-4": Metric(
        query='sum(rate(load_shedding_rejected_requests_total{service="llm-inference"}[5s]))',
        title="requests refused",
        unit="per second",
    ),
    "SCENARIO-5": Metric(
        query='max(circuit_breaker_state{service="llm-inference"})',
        title="circuit breaker (0 closed, 1 open, 2 half-open)",
    ),
    "SCENARIO-6": Metric(
        query='max(health_check_status{service="llm-inference", component="model_integrity"})',
        title="integrity of the model (3 is critical)",
    ),
}
