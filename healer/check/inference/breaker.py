"""inference.breaker: is a circuit breaker of the servers open, and since when."""

from collections.abc import Mapping, Sequence
from typing import Any

from healer.check.contract import CheckContext, Kinds
from healer.check.inference.server import hear, running_pods, server_permissions
from healer.check.param import Params
from healer.client.inference import Inference
from healer.client.kubernetes.cluster import Kubernetes
from healer.errors import PermanentError
from healer.model.effect import Permission
from healer.model.outcome import Finding

_RANKS = ("closed", "half-open", "open")


class BreakerParams(Params):
    """One breaker by name; without it, all of them."""

    name: str | None = None


class Breaker:
    """Holds if all are closed. The evidence is that of the worst, the longest open first.

    Evidence: state (closed, half-open, open), value (0 closed, 1 open, 2 half-open), closed,
    open (how many), name, pod, protects, open_seconds, consecutive_failures, times_opened,
    last_error, pods, silent.
    """

    name = "inference.breaker"
    params = BreakerParams
    evidence = Kinds(
        {
            **dict.fromkeys(("state", "name", "pod", "protects", "last_error"), str),
            **dict.fromkeys(("value", "open", "consecutive_failures", "times_opened"), int),
            **dict.fromkeys(("pods", "silent"), int),
            "closed": bool,
            "open_seconds": float,
        }
    )

    def __init__(self, kubernetes: Kubernetes) -> None:
        self._pods = kubernetes.pods

    def permissions(self, params: BreakerParams, *, namespace: str) -> Sequence[Permission]:
        """Finding the pods and asking them."""
        return server_permissions(namespace)

    async def look(self, params: BreakerParams, ctx: CheckContext) -> Finding:
        """Ask every running pod once."""
        pods = await running_pods(self._pods, ctx)
        heard = await hear(self._pods, pods, ctx, Inference.breakers)
        found: list[tuple[str, str, Mapping[str, Any]]] = [
            (pod, name, breaker)
            for pod, told in heard.demand("its circuit breakers").items()
            for name, breaker in told.items()
            if isinstance(breaker, dict) and params.name in (None, name)
        ]
        if not found:
            wanted = f" named {params.name}" if params.name else ""
            message = f"the inference servers have no circuit breaker{wanted}"
            raise PermanentError(message)
        pod, name, worst = max(found, key=lambda row: _badness(row[2]))
        opened = sum(_state(breaker) == "open" for _, _, breaker in found)
        closed = all(_state(breaker) == "closed" for _, _, breaker in found)
        return Finding(
            check=ctx.id,
            holds=closed,
            summary=_summary(pod, name, worst) if not closed else "all circuit breakers are closed",
            evidence={
                "state": _state(worst),
                "value": int(_number(worst, "value")),
                "closed": closed,
                "open": opened,
                "name": name,
                "pod": pod,
                "protects": str(worst.get("protects", "")),
                "open_seconds": _number(worst, "open_seconds"),
                "consecutive_failures": int(_number(worst, "consecutive_failures")),
                "times_opened": int(_number(worst, "times_opened")),
                "last_error": str(worst.get("last_error") or ""),
                "pods": len(heard.answers),
                "silent": len(heard.silent),
            },
        )


def _state(breaker: Mapping[str, Any]) -> str:
    return str(breaker.get("state", "unknown"))


def _badness(breaker: Mapping[str, Any]) -> tuple[int, float]:
    state = _state(breaker)
    rank = _RANKS.index(state) if state in _RANKS else len(_RANKS)
    return rank, _number(breaker, "open_seconds")


def _number(breaker: Mapping[str, Any], name: str) -> float:
    found = breaker.get(name)
    return float(found) if isinstance(found, int | float) else 0.0


def _summary(pod: str, name: str, breaker: Mapping[str, Any]) -> str:
    since = f" for {_number(breaker, 'open_seconds'):.0f} s"
    error = f": {breaker['last_error']}" if breaker.get("last_error") else ""
    return f"breaker {name} of pod {pod} is {_state(breaker)}{since}{error}"
