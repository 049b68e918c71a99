"""OpenTelemetry spans, where the extra `tracing` is installed and an endpoint is configured.

Settings are OpenTelemetry's own variables (OTEL_EXPORTER_OTLP_ENDPOINT and the rest); without an
endpoint, or with OTEL_SDK_DISABLED, nothing is imported and nothing is sent.
"""

import logging
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

log = logging.getLogger("inference.spans")

Value = str | int | float | bool


class Span(Protocol):
    """One piece of work that somebody may want to look at."""

    def set_attribute(self, key: str, value: Value) -> None:
        """Say something about it."""
        ...


class Tracer(Protocol):
    """Makes spans."""

    def span(self, name: str, headers: Mapping[str, str]) -> Any:
        """A context manager over a Span and its trace id; the headers name its parent."""
        ...

    def close(self) -> None:
        """Send what is left."""
        ...


class _Nothing:
    def set_attribute(self, key: str, value: Value) -> None:
        del key, value


class NoTracer:
    """Makes spans that nobody sees."""

    @contextmanager
    def span(self, name: str, headers: Mapping[str, str]) -> Generator[tuple[Span, str]]:
        """Nothing."""
        del name, headers
        yield _Nothing(), ""

    def close(self) -> None:
        """Nothing."""


class OpenTelemetry:
    """Spans by the SDK; `exporter` None is the one that the environment asks for."""

    def __init__(self, *, model: str, exporter: Any = None) -> None:
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        if exporter is None:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

            exporter = OTLPSpanExporter()
        resource = Resource.create({"service.name": "inference", "gen_ai.request.model": model})
        self._provider = TracerProvider(resource=resource)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("inference")

    @contextmanager
    def span(self, name: str, headers: Mapping[str, str]) -> Generator[tuple[Span, str]]:
        """A server's span, below the one that the client named."""
        from opentelemetry.trace import SpanKind
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        lowered = {key.lower(): value for key, value in headers.items()}
        parent = TraceContextTextMapPropagator().extract(lowered)
        with self._tracer.start_as_current_span(name, context=parent, kind=SpanKind.SERVER) as span:
            yield span, format(span.get_span_context().trace_id, "032x")

    def close(self) -> None:
        """Send what is left."""
        self._provider.shutdown()


def tracer_of(environment: Mapping[str, str], *, model: str) -> Tracer:
    """By the environment; spans that cannot be made are said to be missing, and cost nothing."""
    endpoints = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
    disabled = environment.get("OTEL_SDK_DISABLED", "").lower() == "true"
    if disabled or not any(environment.get(name) for name in endpoints):
        return NoTracer()
    try:
        return OpenTelemetry(model=model)
    except ImportError as error:
        told = {"event": "tracing_missing"}
        log.error("No spans are sent: %s: pip install 'healer[tracing]'", error, extra=told)  # noqa: TRY400 - the text says it
        return NoTracer()
