"""Ties every gauge of the contract to the part that knows its value."""

from collections.abc import Callable

from inference import memory
from inference.health import GB
from inference.parts import Parts
from inference.ssd import Ssd


def register(parts: Parts) -> None:
    """Make the gauges; each is read at the scrape."""
    metrics, admission, engine = parts.metrics, parts.admission, parts.models
    for name in ("queue_length", "load_shedding_queued_requests", "vllm:num_requests_waiting"):
        metrics.gauge(name, "Requests waiting for admission", lambda: admission.queued)
    metrics.gauge("load_shedding_active_requests", "Requests admitted", lambda: admission.active)
    metrics.counter(
        "load_shedding_rejected_requests", "Requests refused", lambda: admission.rejected
    )
    metrics.gauge(
        "vllm:num_requests_running", "Requests in the engine", lambda: engine.progress().running
    )
    metrics.counter("engine_steps", "Decode steps", lambda: engine.progress().steps)
    for name in ("engine_tokens", "vllm:generation_tokens"):
        metrics.counter(name, "Tokens generated", lambda: engine.progress().tokens)
    metrics.counter("engine_restarts", "Rebuilt decode loops", lambda: engine.progress().restarts)
    metrics.gauge("cache_hit_rate", "Share of recent prompts found", parts.cache.hit_rate)
    _vllm(parts)
    metrics.gauge("max_num_seqs", "Live limit", lambda: parts.live.max_num_seqs)
    metrics.gauge(
        "degradation_mode",
        "0 normal, 1 degraded, 2 aggressive eviction, 3 emergency",
        lambda: parts.health.degradation.now.mode.value,
    )
    metrics.gauge("process_resident_memory_bytes", "Memory of this process", memory.used_bytes)
    limit = memory.limit_bytes(parts.settings.memory_limit_gb)
    metrics.gauge(
        "process_memory_limit_bytes",
        "Memory that this process may use; NaN: no limit",
        lambda: float("nan") if limit is None else limit,
    )
    _health(parts)
    if parts.ssd is not None:
        _ssd(parts, parts.ssd)


def _vllm(parts: Parts) -> None:
    """What vLLM's dashboards and autoscalers look at, under its names and in its unit: tokens."""
    metrics, cache = parts.metrics, parts.cache
    metrics.counter("vllm:prefix_cache_queries", "Tokens looked for", lambda: cache.asked)
    metrics.counter("vllm:prefix_cache_hits", "Of them those that were there", lambda: cache.found)
    prompts = metrics.registry.restricted_registry(["inference_prompt_tokens_sum"])
    metrics.counter(
        "vllm:prompt_tokens",
        "Tokens of admitted prompts",
        lambda: sum(sample.value for each in prompts.collect() for sample in each.samples),
    )
    metrics.gauge(
        "vllm:kv_cache_usage_perc",
        "Tokens that requests hold, as a share (0 to 1) of what as many as may run could hold, or "
        "of the GPU's room for them if that is less",
        lambda: _kv_usage(parts),
    )
    metrics.counter("vllm:num_preemptions", "Never: who was let in keeps its place", lambda: 0)


def _kv_usage(parts: Parts) -> float:
    serving = parts.models.serving
    if serving is None:
        return 0.0
    most = parts.live.max_num_seqs * serving.budget
    held = parts.models.progress().cached
    places = parts.models.room.places
    most = most if places is None else min(most, places)
    return held / max(1, most)


def _health(parts: Parts) -> None:
    health = parts.health

    def reader(name: str) -> Callable[[], float]:
        return lambda: health.components()[name].status.value

    parts.metrics.gauges(
        "health_check_status",
        "0 healthy, 1 degraded, 2 unhealthy, 3 critical",
        "component",
        {name: reader(name) for name in health.names()},
    )


def _ssd(parts: Parts, ssd: Ssd) -> None:
    metrics = parts.metrics
    nothing = float("nan")
    metrics.gauges(
        "circuit_breaker_state",
        "0 closed, 1 open, 2 half-open",
        "circuit",
        {"ssd": lambda: ssd.breaker.state.value},
    )
    metrics.gauge(
        "health_ssd_free_space_gb",
        "Free space of the SSD volume, 1e9 bytes",
        lambda: nothing if ssd.space is None else ssd.space.free / GB,
    )
    metrics.gauge(
        "health_ssd_total_gb",
        "Size of the SSD volume, 1e9 bytes",
        lambda: nothing if ssd.space is None else ssd.space.total / GB,
    )
    metrics.gauge(
        "health_ssd_io_error_rate", "Share of the last minute's operations that failed",
        ssd.error_rate,
    )  # fmt: skip
    metrics.counter("health_ssd_slow_operations", "Operations that took too long", lambda: ssd.slow)
