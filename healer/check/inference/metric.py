"""inference.metrics: one number from /metrics of every server, without the delay of a scrape."""

import math
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from healer.check.contract import CheckContext, Kinds
from healer.check.inference.server import hear, running_pods, server_permissions
from healer.check.param import Params
from healer.client.inference import Inference, Sample
from healer.client.kubernetes.cluster import Kubernetes
from healer.errors import TemporaryError
from healer.model.effect import Permission
from healer.model.outcome import Finding


class Reduce(StrEnum):
    """How several numbers become one."""

    SUM = "sum"
    MAX = "max"
    MIN = "min"
    AVG = "avg"


class MetricsParams(Params):
    """The samples of that name whose labels include `labels`, over all pods."""

    name: Annotated[str, Field(min_length=1)]
    labels: Mapping[str, str] = Field(default_factory=dict[str, str])
    reduce: Reduce = Reduce.SUM


class Metrics:
    """Always holds where there is a number. Evidence: value, series, min, max, pods.

    Over all ready pods or not at all: where one is silent, nothing is known.
    """

    name = "inference.metrics"
    params = MetricsParams
    evidence = Kinds(
        {
            **dict.fromkeys(("value", "min", "max"), float),
            **dict.fromkeys(("series", "pods"), int),
        }
    )

    def __init__(self, kubernetes: Kubernetes) -> None:
        self._pods = kubernetes.pods

    def permissions(self, params: MetricsParams, *, namespace: str) -> Sequence[Permission]:
        """Finding the pods and asking them."""
        return server_permissions(namespace)

    async def look(self, params: MetricsParams, ctx: CheckContext) -> Finding:
        """Ask every ready pod once: one that begins or is lost has no share in the numbers."""
        pods = [pod for pod in await running_pods(self._pods, ctx) if pod.ready]
        heard = await hear(self._pods, pods, ctx, Inference.metrics)
        told = heard.demand_all("its metrics")
        values = [
            sample.value for page in told.values() for sample in page if _fits(sample, params)
        ]
        if not values:
            message = f"no inference server has a number for {params.name}{dict(params.labels)}"
            raise TemporaryError(message)
        value = _reduced(values, params.reduce)
        return Finding(
            check=ctx.id,
            holds=True,
            summary=f"{params.reduce.value} of {params.name} over {len(told)} pods is {value:g}",
            evidence={
                "value": value,
                "series": len(values),
                "min": min(values),
                "max": max(values),
                "pods": len(told),
            },
        )


def _fits(sample: Sample, params: MetricsParams) -> bool:
    wanted = params.labels.items() <= sample.labels.items()
    return sample.name == params.name and wanted and math.isfinite(sample.value)


def _reduced(values: Sequence[float], reduce: Reduce) -> float:
    match reduce:
        case Reduce.SUM:
            return math.fsum(values)
        case Reduce.MAX:
            return max(values)
        case Reduce.MIN:
            return min(values)
        case Reduce.AVG:
            return math.fsum(values) / len(values)
