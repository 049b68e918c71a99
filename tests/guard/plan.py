"""Plans to be judged, made short."""

from dataclasses import replace
from datetime import datetime, timedelta

from healer.guard.contract import Plan
from healer.model.effect import Effect
from healer.model.event import Entry, IncidentId, IncidentKey, Opened, StepStarted
from healer.model.incident import Incident, fold
from healer.model.playbook import StepId
from healer.model.service import Target
from tests.fakes.clock import START
from tests.fakes.house import PLAYBOOK, SERVICE, WORKLOAD

KEY = IncidentKey(service="api", playbook="DISK", target=WORKLOAD)


def incident(
    name: str = "inc-1",
    *,
    acted: tuple[datetime, ...] = (),
    target: Target = WORKLOAD,
    touches: bool = True,
) -> Incident:
    """An incident whose rounds began at these moments; the last one is still going on."""
    who = IncidentId(name)
    opened = Opened(key=replace(KEY, target=target), severity="P1")
    result = fold(who, [Entry(incident=who, seq=1, at=START, event=opened)])
    started = StepStarted(
        step=StepId("free"), action="disk.free", attempt=1, params={}, touches=touches
    )
    for number, at in enumerate(acted, start=1):
        result = replace(result, run=replace(result.run, number=number, started=()))
        result = result.apply(Entry(incident=who, seq=number + 1, at=at, event=started))
    return result


def plan(own: Incident | None = None, *others: Incident) -> Plan:
    """A plan for the whole run."""
    return Plan(
        incident=own or incident(),
        key=KEY,
        service=SERVICE,
        playbook=PLAYBOOK,
        effect=Effect.DISRUPTIVE,
        others=others,
    )


def ago(**span: float) -> datetime:
    """A moment before START plus one day."""
    return NOW - timedelta(**span)


NOW = START + timedelta(days=1)
