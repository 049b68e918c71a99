"""Can healer reach, and may it do, all that its playbooks need? It asks, and changes nothing."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial

from healer.app.client import Clients, connect_all
from healer.app.nowhere import words
from healer.app.vocabulary import vocabulary
from healer.check.gather import ask_each
from healer.client.kubernetes.cluster import Kubernetes
from healer.engine.need import needs
from healer.errors import HealerError
from healer.kit.clock import SystemClock
from healer.model.effect import Permission
from healer.playbook.loader import Loaded, load
from healer.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Sign:
    """One thing that was looked at: whether it is well, and what was seen."""

    what: str
    well: bool
    seen: str


async def examine(settings: Settings) -> list[Sign]:
    """Everything, what is well and what is not. Slack and PagerDuty are not asked: people would
    hear of it.
    """
    services = settings.known_services
    loaded = load(settings.playbooks, vocabulary(settings), services)
    rights = needs(loaded.playbooks, services, words())
    signs = [_playbooks(loaded)]
    async with AsyncExitStack() as stack:
        try:
            clients = await connect_all(settings, SystemClock(), stack)
        except HealerError as error:
            return [*signs, Sign(what="kubernetes", well=False, seen=str(error))]
        signs += await _reached(clients)
        if clients.kubernetes is not None:
            signs += await _allowed(clients.kubernetes, rights)
    return signs


def _playbooks(loaded: Loaded) -> Sign:
    usable = f"{len(loaded.playbooks)} usable"
    faults = "; ".join(map(str, loaded.faults))
    return Sign(what="playbooks", well=not faults, seen=faults or usable)


async def _reached(clients: Clients) -> list[Sign]:
    asking: dict[str, Callable[[], Awaitable[object]]] = {}
    if clients.prometheus is not None:
        asking["prometheus"] = partial(clients.prometheus.query, "vector(1)")
    if clients.alertmanager is not None:
        asking["alertmanager"] = clients.alertmanager.silenced_by
    answers = await ask_each(list(asking), lambda name: asking[name]())
    return [
        Sign(what=name, well=False, seen=str(answer))
        if isinstance(answer, HealerError)
        else Sign(what=name, well=True, seen="answers")
        for name, answer in answers
    ]


async def _allowed(kubernetes: Kubernetes, rights: Iterable[Permission]) -> Sequence[Sign]:
    """One question for each right, and for each object where it is narrowed to names."""
    asked = [(right, name) for right in sorted(rights) for name in right.names or ("",)]
    answers = await ask_each(asked, lambda one: kubernetes.access.may(*one))
    return [_right(right, name, answer) for (right, name), answer in answers]


def _right(right: Permission, name: str, answer: object) -> Sign:
    where = f"in {right.namespace}" if right.namespace else "in the cluster"
    of = f" {name}" if name else ""
    what = f"{right.verb} {right.resource}{of} {where}"
    match answer:
        case HealerError():
            return Sign(what=what, well=False, seen=str(answer))
        case True:
            return Sign(what=what, well=True, seen="allowed")
        case _:
            return Sign(what=what, well=False, seen="not allowed: see `healer playbook rbac`")
