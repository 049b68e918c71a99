"""kubernetes.logs: what the pods wrote last, and which lines of it an expression finds."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from healer.check.contract import CheckContext, Kinds
from healer.check.gather import ask_each
from healer.check.kubernetes.pattern import Expression, find
from healer.check.kubernetes.subject import selector_of, short
from healer.check.param import Params, Selector
from healer.client.http import MEBIBYTE
from healer.client.kubernetes.cluster import Kubernetes
from healer.client.kubernetes.container import Pod
from healer.client.kubernetes.permission import allow
from healer.client.kubernetes.pod import LogRequest
from healer.errors import HealerError, RejectedError, TemporaryError
from healer.model.effect import Permission
from healer.model.outcome import Evidence, Finding

_SHOWN = 20
_CUT = 300
_PODS = 50
_NOTHING_WRITTEN = ("BadRequest", "NotFound")
"""How the API says that a container has not begun, had no former life, or is gone meanwhile."""


class LogParams(Params):
    """The last `tail` lines of each pod, of this life or the `previous` one."""

    grep: Expression | None = None
    previous: bool = False
    tail: Annotated[int, Field(ge=1, le=5000)] = 500
    selector: Selector | None = None


class LogLines:
    """Evidence: matches, lines (the last 20, each as "pod: text", cut at 300 characters), first,
    pods (that wrote anything), read (lines), unread (names of pods whose log could not be read).

    Without `grep` every line matches. Holds where any does. "None" is only said when every log
    could be read.
    """

    name = "kubernetes.logs"
    params = LogParams
    evidence = Kinds(
        {
            **dict.fromkeys(("matches", "pods", "read"), int),
            **dict.fromkeys(("lines", "unread"), list[str]),
            "first": str,
        }
    )

    def __init__(self, kubernetes: Kubernetes) -> None:
        self._pods = kubernetes.pods

    def permissions(self, params: LogParams, *, namespace: str) -> Sequence[Permission]:
        """Listing pods and reading their logs."""
        return (*allow(namespace, "pods", "list"), *allow(namespace, "pods/log", "get"))

    async def look(self, params: LogParams, ctx: CheckContext) -> Finding:
        """Read the logs side by side, then search."""
        namespace = ctx.target.namespace
        selector = selector_of(ctx, params.selector)
        pods = (await self._pods.select(namespace, selector))[:_PODS]

        async def read(pod: Pod) -> list[str]:
            wanted = LogRequest(
                container=pod.main_container,
                previous=params.previous,
                tail=params.tail,
                limit=MEBIBYTE,
            )
            return (await self._pods.log(namespace, pod.name, wanted)).splitlines()

        lines, unread = _sorted_out(await ask_each(pods, read))
        texts = [text for _, text in lines]
        chosen = range(len(texts)) if params.grep is None else await find(texts, params.grep)
        if unread and not chosen:
            first = next(iter(unread.values()))
            message = f"nothing found, but {len(unread)} logs could not be read: {first}"
            raise TemporaryError(message)
        evidence = _evidence(lines, [lines[number] for number in chosen], sorted(unread))
        what = f" with {params.grep!r}" if params.grep else ""
        return Finding(
            check=ctx.id,
            holds=bool(chosen),
            summary=f"{len(chosen)} of {len(lines)} lines from {len(pods)} pods{what}"
            + (f", first {evidence['first']}" if chosen else ""),
            evidence=evidence,
        )


def _evidence(
    lines: Sequence[tuple[str, str]], found: Sequence[tuple[str, str]], unread: Sequence[str]
) -> Evidence:
    told = [short(f"{pod}: {text}", _CUT) for pod, text in found[-_SHOWN:]]
    return {
        "matches": len(found),
        "lines": told,
        "first": short(f"{found[0][0]}: {found[0][1]}", _CUT) if found else "",
        "pods": len({pod for pod, _ in lines}),
        "read": len(lines),
        "unread": list(unread),
    }


def _sorted_out(
    answers: Sequence[tuple[Pod, list[str] | HealerError]],
) -> tuple[list[tuple[str, str]], dict[str, str]]:
    """Lines by pod, and by pod why there are none. A refusal is nobody's log: it is raised."""
    lines: list[tuple[str, str]] = []
    unread: dict[str, str] = {}
    for pod, answer in answers:
        match answer:
            case list():
                lines += [(pod.name, text) for text in answer]
            case RejectedError() if answer.reason in _NOTHING_WRITTEN:
                continue
            case TemporaryError():
                unread[pod.name] = str(answer)
            case _:
                raise answer
    return lines, unread
