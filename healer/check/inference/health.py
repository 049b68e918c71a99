"""inference.health and inference.components: how the servers of a service say they are."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from healer.check.contract import CheckContext, Kinds
from healer.check.inference.server import hear, running_pods, server_permissions
from healer.check.param import Params
from healer.client.inference import Inference
from healer.client.kubernetes.cluster import Kubernetes
from healer.model.effect import Permission
from healer.model.outcome import ANY_NAME, Evidence, Finding

_RANKS = ("healthy", "degraded", "unhealthy", "critical")
_UNKNOWN = "unknown"


class HealthParams(Params):
    """It needs none: every running pod is asked."""


class Health:
    """Holds if there are servers and all say that they are healthy enough to serve.

    Evidence: pods (running), healthy, unhealthy, silent (no answer), worst, mode.
    """

    name = "inference.health"
    params = HealthParams
    evidence = Kinds(
        {
            **dict.fromkeys(("pods", "healthy", "unhealthy", "silent"), int),
            **dict.fromkeys(("worst", "mode"), str),
        }
    )

    def __init__(self, kubernetes: Kubernetes) -> None:
        self._pods = kubernetes.pods

    def permissions(self, params: HealthParams, *, namespace: str) -> Sequence[Permission]:
        """Finding the pods and asking them."""
        return server_permissions(namespace)

    async def look(self, params: HealthParams, ctx: CheckContext) -> Finding:
        """Ask every running pod once."""
        pods = await running_pods(self._pods, ctx)
        heard = await hear(self._pods, pods, ctx, Inference.health)
        healthy = sum(one.ok for one in heard.answers.values())
        mode = _worst_mode(one.body for one in heard.answers.values())
        evidence: Evidence = {
            "pods": len(pods),
            "healthy": healthy,
            "unhealthy": len(heard.answers) - healthy,
            "silent": len(heard.silent),
            "worst": worst(one.status for one in heard.answers.values()),
            "mode": mode,
        }
        aside = f", {len(heard.silent)} do not answer" if heard.silent else ""
        return Finding(
            check=ctx.id,
            holds=bool(pods) and healthy == len(pods),
            summary=f"{healthy} of {len(pods)} inference servers are healthy{aside}",
            evidence=evidence,
        )


class ComponentsParams(Params):
    """It needs none: every running pod is asked."""


class Components:
    """Holds if no component of any server is worse than healthy.

    Evidence: worst (status), worst_value (0 healthy to 3 critical, 4 not known), sick (names),
    mode, pods, silent; and per component, by its own name, the worst status on any server:
    `checks.parts.ssd == "critical"`.
    """

    name = "inference.components"
    params = ComponentsParams
    evidence = Kinds(
        {
            **dict.fromkeys(("worst", "mode", ANY_NAME), str),
            **dict.fromkeys(("worst_value", "pods", "silent"), int),
            "sick": list[str],
        }
    )

    def __init__(self, kubernetes: Kubernetes) -> None:
        self._pods = kubernetes.pods

    def permissions(self, params: ComponentsParams, *, namespace: str) -> Sequence[Permission]:
        """Finding the pods and asking them."""
        return server_permissions(namespace)

    async def look(self, params: ComponentsParams, ctx: CheckContext) -> Finding:
        """Ask every running pod once."""
        pods = await running_pods(self._pods, ctx)
        heard = await hear(self._pods, pods, ctx, Inference.components)
        told = list(heard.demand("its components").values())
        said = _worst_parts(told)
        parts = {name: status for name, (status, _) in said.items()}
        sick = sorted(name for name, status in parts.items() if status != _RANKS[0])
        evidence: Evidence = {
            **{name: status for name, status in parts.items() if name.isidentifier()},
            "worst": worst(parts.values()),
            "worst_value": max(map(_rank, parts.values()), default=len(_RANKS)),
            "sick": sick,
            "mode": _worst_mode(_map(one.get("degradation")) for one in told),
            "pods": len(told),
            "silent": len(heard.silent),
        }
        worst_first = sorted(sick, key=lambda name: -_rank(parts[name]))
        return Finding(
            check=ctx.id,
            holds=not sick,
            summary=", ".join(_in_words(name, *said[name]) for name in worst_first)
            or f"all components of {len(told)} servers are healthy",
            evidence=evidence,
        )


def worst(statuses: Iterable[str]) -> str:
    """The worst of them; a word that nobody knows counts as worse than all others."""
    found = list(statuses)
    return max(found, key=_rank) if found else _UNKNOWN


def _rank(status: str) -> int:
    return _RANKS.index(status) if status in _RANKS else len(_RANKS)


def _worst_parts(told: Iterable[Mapping[str, Any]]) -> dict[str, tuple[str, str]]:
    """By name: the worst status of any server, and what that server says about it."""
    parts: dict[str, tuple[str, str]] = {}
    for one in told:
        for name, part in _map(one.get("components")).items():
            status = str(_map(part).get("status", _UNKNOWN))
            if name not in parts or _rank(status) > _rank(parts[name][0]):
                parts[name] = status, str(_map(part).get("message") or "")
    return parts


def _in_words(name: str, status: str, message: str) -> str:
    return f"{name} is {status}" + (f" ({message})" if message else "")


def _worst_mode(told: Iterable[Mapping[str, Any]]) -> str:
    """The mode of any server that is not in its normal one."""
    modes = [str(one.get("mode", _UNKNOWN)) for one in told]
    return next((mode for mode in modes if mode != "normal"), modes[0] if modes else _UNKNOWN)


def _map(value: Any) -> Mapping[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}
