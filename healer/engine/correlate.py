"""Which incident does an alert belong to? Pure: the same alert always leads to the same key."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from healer.errors import PermanentError
from healer.model.alert import Alert
from healer.model.event import IncidentId, IncidentKey, PlaybookMatched
from healer.model.incident import Incident
from healer.model.index import Index
from healer.model.playbook import Mode, Playbook, select
from healer.model.service import Service, Target, parse_target
from healer.playbook.render import render, template_names
from healer.playbook.scope import Scope, build_scope


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Where an alert leads. `playbook` None: it is about a service of ours, but nothing applies.

    `joins`: where no incident of `key` is open, it joins the first of these that is.
    """

    service: Service
    playbook: Playbook | None
    key: IncidentKey
    severity: str
    joins: tuple[IncidentKey, ...] = ()


class Router:
    """Where alerts lead, as long as these are the services and the playbooks."""

    def __init__(self, services: Iterable[Service], playbooks: Iterable[Playbook]) -> None:
        self._services = Index(((one.match,), one) for one in services)
        self._playbooks = Index((one.match, one) for one in playbooks)
        self._fixed: dict[tuple[str, str], Target] = {}

    def route(self, alert: Alert, *, now: datetime) -> Route | None:
        """Where this alert leads; None where it is about no service of ours."""
        service = find_service(self._services.candidates(alert.labels), alert)
        if service is None:
            return None
        playbook = select(self._playbooks.candidates(alert.labels), service.name, alert.labels)
        name = playbook.name if playbook else ""
        target = self._target(playbook, service, alert, now)
        key = IncidentKey(service=service.name, playbook=name, target=target)
        return Route(
            service=service,
            playbook=playbook,
            key=key,
            severity=severity(service, alert),
            joins=tuple(replace(key, playbook=other) for other in playbook.joins)
            if playbook
            else (),
        )

    def _target(
        self, playbook: Playbook | None, service: Service, alert: Alert, now: datetime
    ) -> Target:
        """Most playbooks aim at what the service says alone: then once is enough."""
        if playbook is None:
            return find_target(playbook, service, alert, now=now)
        place = (service.name, playbook.name)
        known = self._fixed.get(place)
        if known is None:
            known = find_target(playbook, service, alert, now=now)
            if all(name[0] == "service" for name in template_names(playbook.target)):
                self._fixed[place] = known
        return known


def find_service(services: Iterable[Service], alert: Alert) -> Service | None:
    """The first service, in the order of the configuration, that owns the alert."""
    return next((service for service in services if service.owns(alert.labels)), None)


def route(
    alert: Alert, *, services: Iterable[Service], playbooks: Sequence[Playbook], now: datetime
) -> Route | None:
    """Where this one alert leads; None where it is about no service of ours."""
    return Router(services, playbooks).route(alert, now=now)


def find_target(
    playbook: Playbook | None, service: Service, alert: Alert, *, now: datetime
) -> Target:
    """What the playbook aims at; without one, the alert itself, so that strangers stay apart."""
    if playbook is None:
        return Target(namespace=service.namespace, kind="alert", name=alert.name or "unnamed")
    if not playbook.target:
        return service.workload
    try:
        return parse_target(str(render(playbook.target, _scope(alert, service, now))))
    except (PermanentError, ValueError):
        # The alert lacks what the template asks for. Its service's workload is still the right
        # thing to lock, and the run will say what is missing when it renders the steps.
        return service.workload


def _scope(alert: Alert, service: Service, now: datetime) -> Scope:
    """What is known when nothing but the alert is known."""
    alone = Incident(id=IncidentId(""), alerts={alert.fingerprint: alert})
    return build_scope(alone, service, now=now)


def severity(service: Service, alert: Alert) -> str:
    """What the service calls the alert's severity; the alert's own word where it has no other."""
    word = alert.labels.get("severity", "")
    known = service.severities.get(word)
    return known.name if known else word


def worst(service: Service, severities: Iterable[str]) -> str:
    """The one to act upon first: one that pages, and then one that must be answered sooner.

    A word that the service does not know is the mildest.
    """
    known = {one.name: (one.pages, -one.respond_within) for one in service.severities.values()}
    mildest = (False, timedelta.min)
    return max(severities, key=lambda name: known.get(name, mildest), default="")


def applied(
    playbook: Playbook, alerts: Iterable[Alert], *, service: str, mode: Mode
) -> PlaybookMatched:
    """That this playbook, in this version, is what the incident of these alerts follows."""
    names = ", ".join(sorted({alert.name for alert in alerts}))
    return PlaybookMatched(
        playbook=playbook.name,
        digest=playbook.digest,
        mode=mode,
        because=f"{names} of {service}",
    )


def is_news(alert: Alert, incident: Incident | None) -> bool:
    """Does it tell anything? Alertmanager repeats itself, and its cluster sends twice and late."""
    known = incident.alerts.get(alert.fingerprint) if incident else None
    if known is None:
        return alert.firing
    if alert.starts_at != known.starts_at:
        return alert.starts_at > known.starts_at  # it fired again; an older one comes late
    if alert.status != known.status:
        return known.firing  # the same firing cannot begin again once it was resolved
    return alert.firing and alert.annotations != known.annotations
