"""A batch of deliveries becomes lines of incidents. Writes nothing: whoever asked appends them."""

import secrets
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from healer.engine.correlate import Route, Router, applied, is_news, worst
from healer.engine.journal import Journal
from healer.kit.clock import Clock
from healer.model.alert import Alert, AlertGroup, Fingerprint
from healer.model.event import (
    AlertsReceived,
    Event,
    IncidentId,
    IncidentKey,
    Opened,
    SeverityRaised,
)
from healer.model.incident import Incident
from healer.model.playbook import Mode
from healer.model.receipt import Receipt, receipt_of


@dataclass(slots=True)
class Place:
    """One incident in this batch, open (`known`) or about to be: its new lines and alerts."""

    key: IncidentKey
    known: Incident | None
    id: IncidentId
    events: list[Event] = field(default_factory=list[Event])
    fresh: dict[str, Alert] = field(default_factory=dict[str, Alert])
    severity: str = ""

    def is_news(self, alert: Alert) -> bool:
        """Does it tell anything that neither the incident nor this batch has told?"""
        seen = self.fresh.get(alert.fingerprint)
        if seen is None:
            return is_news(alert, self.known)
        return (seen.status, seen.starts_at) != (alert.status, alert.starts_at)


class Sorting:
    """One attempt at sorting a batch into incidents. Changes nothing outside itself."""

    def __init__(
        self, router: Router, journal: Journal, clock: Clock, mode_of: Callable[[Mode], Mode]
    ) -> None:
        self._router = router
        self._journal = journal
        self._mode_of = mode_of
        self._now = clock.now()
        self._places: dict[IncidentKey, Place] = {}
        self._holders: dict[Fingerprint, IncidentKey] | None = None

    def take(self, groups: Sequence[AlertGroup]) -> Receipt:
        """Sort one delivery."""
        tally: Counter[tuple[str, str]] = Counter()
        for group in groups:
            news: dict[IncidentId, tuple[Place, list[Route], list[Alert]]] = {}
            for alert in group.alerts:
                found = self._router.route(alert, now=self._now)
                place = self._place_of(found) if found else None
                if not alert.firing and not (place and place.is_news(alert)):
                    place = self._left_behind(alert) or place
                if place is None:
                    tally["", "unmatched"] += 1
                    continue
                if not place.is_news(alert):
                    tally[place.key.service, "repeated"] += 1
                    continue
                place.fresh[alert.fingerprint] = alert
                _, routes, alerts = news.setdefault(place.id, (place, [], []))
                routes += [found] if found and alert.firing else []
                alerts.append(alert)
            for place, routes, alerts in news.values():
                service = place.key.service
                received = AlertsReceived(
                    alerts=tuple(alerts), group=group.key, truncated=group.truncated
                )
                if place.known is None and not place.events:
                    place.events += self._opening(place, routes, received)
                    tally[service, "opened"] += 1
                else:
                    place.events += self._joining(place, routes, received)
                    tally[service, "joined"] += sum(alert.firing for alert in alerts)
                tally[service, "resolved"] += sum(not alert.firing for alert in alerts)
        return receipt_of(tally)

    def _opening(
        self, place: Place, routes: Sequence[Route], received: AlertsReceived
    ) -> Iterable[Event]:
        """A new incident; the playbook that its key names is what applies to it."""
        route = routes[0]
        place.severity = worst(route.service, [one.severity for one in routes])
        yield Opened(key=place.key, severity=place.severity)
        yield received
        if route.playbook is not None:
            mode = self._mode_of(route.playbook.mode)
            service = route.key.service
            yield applied(route.playbook, received.alerts, service=service, mode=mode)

    def _joining(
        self, place: Place, routes: Sequence[Route], received: AlertsReceived
    ) -> Iterable[Event]:
        """One more delivery of it; a worse alert makes the incident worse, and people are told."""
        yield received
        if routes:
            known = place.severity or (place.known.severity if place.known else "")
            place.severity = worst(routes[0].service, [known, *(one.severity for one in routes)])
            if place.severity != known:
                yield SeverityRaised(severity=place.severity)

    def changed(self) -> Sequence[Place]:
        """The incidents that have new lines."""
        return [place for place in self._places.values() if place.events]

    def still_true(self, places: Iterable[Place]) -> bool:
        """Is every incident still as open, or as absent, as when it was sorted?"""
        return all(_id(self._journal.find_open(place.key)) == _id(place.known) for place in places)

    def _place_of(self, route: Route) -> Place:
        """Its own incident; else an open one that it joins; else a new one."""
        for key in (route.key, *route.joins):
            place = self._places.get(key) or self._find(key)
            if place.known or place.fresh:
                return place
        return self._places[route.key]

    def _left_behind(self, alert: Alert) -> Place | None:
        """Whose alert it is although it leads there no more: service or playbook are gone since."""
        if self._holders is None:
            self._holders = {
                one.fingerprint: incident.key
                for incident in self._journal.all()
                if incident.closed is None and incident.key
                for one in incident.firing
            }
        key = self._holders.get(alert.fingerprint)
        return None if key is None else self._places.get(key) or self._find(key)

    def _find(self, key: IncidentKey) -> Place:
        known = self._journal.find_open(key)
        place = Place(key=key, known=known, id=known.id if known else _new_id())
        self._places[key] = place
        return place


def _id(incident: Incident | None) -> IncidentId | None:
    return incident.id if incident else None


def _new_id() -> IncidentId:
    return IncidentId(f"inc-{secrets.token_hex(5)}")
