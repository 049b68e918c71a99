"""inference.breaker: is a circuit breaker open, since when, and does what it protects work."""

from collections.abc import Sequence

from healer.check.contract import CheckContext, Kinds
from healer.check.inference.server import hear, running_pods, server_permissions
from healer.check.param import Params
from healer.client.circuit import CLOSED, Circuit
from healer.client.inference import Inference
from healer.client.kubernetes.cluster import Kubernetes
from healer.errors import PermanentError
from healer.model.effect import Permission
from healer.model.outcome import Evidence, Finding

_RANKS = (CLOSED, "half-open", "open")


class BreakerParams(Params):
    """One breaker by name; without it, all of them."""

    name: str | None = None


class Breaker:
    """Holds if all are closed. The evidence is that of the worst, the longest open first.

    Evidence: state (closed, half-open, open), value (0 closed, 1 open, 2 half-open), closed,
    open (how many), name, pod, protects, open_seconds, next_try_seconds, consecutive_failures,
    times_opened, last_error, pods, silent; and of all that are not closed together: works (does
    what they protect work, by the servers' own tests; what nobody tells does not), dependency (the
    status of what does not work, else of what the worst protects) and complaint.
    """

    name = "inference.breaker"
    params = BreakerParams
    evidence = Kinds(
        {
            **dict.fromkeys(("state", "name", "pod", "protects", "last_error"), str),
            **dict.fromkeys(("dependency", "complaint"), str),
            **dict.fromkeys(("value", "open", "consecutive_failures", "times_opened"), int),
            **dict.fromkeys(("pods", "silent"), int),
            **dict.fromkeys(("closed", "works"), bool),
            **dict.fromkeys(("open_seconds", "next_try_seconds"), float),
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
        heard = await hear(self._pods, pods, ctx, Inference.circuits)
        found = [
            (pod, circuit)
            for pod, circuits in heard.demand("its circuit breakers").items()
            for circuit in circuits
            if params.name in (None, circuit.name)
        ]
        if not found:
            wanted = f" named {params.name}" if params.name else ""
            message = f"the inference servers have no circuit breaker{wanted}"
            raise PermanentError(message)
        pod, worst = max(found, key=lambda row: _badness(row[1]))
        return Finding(
            check=ctx.id,
            holds=worst.closed,
            summary="all circuit breakers are closed" if worst.closed else _summary(pod, worst),
            evidence={
                **_told(pod, worst),
                **_behind([circuit for _, circuit in found]),
                "open": sum(circuit.state == "open" for _, circuit in found),
                "pods": len(heard.answers),
                "silent": len(heard.silent),
            },
        )


def _told(pod: str, worst: Circuit) -> Evidence:
    return {
        "state": worst.state,
        "value": worst.value,
        "closed": worst.closed,
        "name": worst.name,
        "pod": pod,
        "protects": worst.protects,
        "open_seconds": worst.open_seconds,
        "next_try_seconds": worst.next_try_seconds,
        "consecutive_failures": worst.consecutive_failures,
        "times_opened": worst.times_opened,
        "last_error": worst.last_error,
    }


def _behind(circuits: Sequence[Circuit]) -> Evidence:
    """What lies behind those that are not closed; behind all, where none is open."""
    asked = [one for one in circuits if not one.closed] or list(circuits)
    worst = max(asked, key=lambda one: one.ailing)
    return {
        "works": all(one.works for one in asked),
        "dependency": worst.dependency,
        "complaint": worst.complaint,
    }


def _badness(circuit: Circuit) -> tuple[int, float]:
    rank = _RANKS.index(circuit.state) if circuit.state in _RANKS else len(_RANKS)
    return rank, circuit.open_seconds


def _summary(pod: str, circuit: Circuit) -> str:
    error = f": {circuit.last_error}" if circuit.last_error else ""
    return (
        f"breaker {circuit.name} of pod {pod} is {circuit.state} for "
        f"{circuit.open_seconds:.0f} s{error}; what it protects is {circuit.dependency}"
    )
