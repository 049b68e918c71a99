"""Metrics, folded from entries. Other rooms add theirs to the same registry, which lives here."""

from collections.abc import Iterable
from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from healer.model.event import (
    CONTROL,
    Closed,
    Ending,
    Entry,
    Event,
    IncidentId,
    Judged,
    NoticeDropped,
    NoticeSent,
    Paused,
    Resumed,
    StepFinished,
    StepStarted,
)
from healer.model.incident import Incident
from healer.model.outcome import Decision
from healer.model.receipt import Receipt
from healer.notify.phrase import short

OTHER = "other"
_APPENDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)
_SECONDS = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600, 7200)


class _Bounded:
    """Values of a label: the first `limit` keep their names, later ones are all `other`."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._seen: set[str] = set()

    def __call__(self, value: str) -> str:
        name = short(value, 100) or "none"
        if name not in self._seen and len(self._seen) >= self._limit:
            return OTHER
        self._seen.add(name)
        return name


class EntryMetrics:
    """An observer. `registry` is what /metrics shows."""

    def __init__(self, *, registry: CollectorRegistry | None = None, limit: int = 100) -> None:
        self.registry = registry or CollectorRegistry()
        self._bound = {name: _Bounded(limit) for name in ("service", "action", "guard", "playbook")}
        self._places: dict[IncidentId, tuple[str, str]] = {}
        self._pauses: set[str] = set()
        self._incidents = self._gauge(
            "healer_incidents", "Incidents not archived.", "service", "state"
        )
        self._alerts = self._counter(
            "healer_alerts", "Alerts delivered, by what became of them.", "service", "outcome"
        )
        self._steps = self._counter("healer_steps", "Steps that ended.", "action", "result")
        self._refusals = self._counter(
            "healer_refusals", "Times a guard said not now, or no.", "guard"
        )
        self._notices = self._counter(
            "healer_notices", "Notices delivered or given up.", "channel", "result"
        )
        self._paused = self._gauge("healer_paused", "Pauses in force; 0 is none.")
        self.append_time = Histogram(
            "healer_timeline_append_seconds",
            "How long it took until lines were on disk.",
            buckets=_APPENDS,
            registry=self.registry,
        )
        self._to_action = Histogram(
            "healer_time_to_action_seconds",
            "From the first alert to the first real step.",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._to_heal = Histogram(
            "healer_time_to_heal_seconds",
            "From the first alert to verified healed, of incidents that stayed healed.",
            ("playbook",),
            buckets=_SECONDS,
            registry=self.registry,
        )

    def restore(self, incidents: Iterable[Incident], *, paused: Iterable[str] = ()) -> None:
        """After a start: incidents that are not archived, and the services of pauses in force."""
        for incident in incidents:
            self._place(incident)
        self._pauses = set(paused)
        self._paused.set(len(self._pauses))

    def see(self, entry: Entry, incident: Incident) -> None:
        """Count an entry."""
        if entry.incident != CONTROL:
            self._place(incident)
        self._count(entry, incident)

    def received(self, receipt: Receipt) -> None:
        """Count the alerts of one delivery, now that they are sorted."""
        for service, counts in receipt.services.items():
            for outcome, count in counts.items():
                self._alerts.labels(service and self._bound["service"](service), outcome).inc(count)

    def _count(self, entry: Entry, incident: Incident) -> None:
        match entry.event:
            case StepStarted():
                self._acted(entry, incident)
            case StepFinished() as event:
                action = self._bound["action"](_action(event, incident))
                self._steps.labels(action, str(event.outcome.result)).inc()
            case Judged(verdicts=verdicts):
                for verdict in verdicts:
                    if verdict.decision in (Decision.HOLD, Decision.DENY):
                        self._refusals.labels(self._bound["guard"](verdict.guard)).inc()
            case NoticeSent(channel=channel):
                self._notices.labels(channel, "sent").inc()
            case NoticeDropped(channel=channel):
                self._notices.labels(channel, "dropped").inc()
            case Closed(ending=Ending.HEALED):
                playbook = incident.key.playbook if incident.key else ""
                seconds = _between(incident.opened_at, incident.healed_at)
                self._to_heal.labels(self._bound["playbook"](playbook)).observe(seconds)
            case event:
                self._pause(event)

    def _pause(self, event: Event) -> None:
        match event:
            case Paused(service=service):
                self._pauses.add(service)
            case Resumed(service=service):
                self._pauses.discard(service)
            case _:
                return
        self._paused.set(len(self._pauses))

    def _acted(self, entry: Entry, incident: Incident) -> None:
        """Once an incident: at its first real step."""
        real = [started for started in incident.run.started if not started.dry_run]
        if incident.first_step_at == entry.at and len(real) == 1 and real[0] == entry.event:
            self._to_action.observe(_between(incident.opened_at, entry.at))

    def _place(self, incident: Incident) -> None:
        """Move it to where it stands now, and forget it when it is archived."""
        before = self._places.get(incident.id)
        here = None
        if not incident.archived and incident.key is not None:
            here = (self._bound["service"](incident.key.service), str(incident.state))
        if here == before:
            return
        if before is not None:
            del self._places[incident.id]
            self._incidents.labels(*before).dec()
        if here is not None:
            self._places[incident.id] = here
            self._incidents.labels(*here).inc()

    def _gauge(self, name: str, what: str, *labels: str) -> Gauge:
        return Gauge(name, what, labels, registry=self.registry)

    def _counter(self, name: str, what: str, *labels: str) -> Counter:
        return Counter(name, what, labels, registry=self.registry)


def _action(event: StepFinished, incident: Incident) -> str:
    """Of the step that ended: its latest start says."""
    for started in reversed(incident.run.started):
        if (started.step, started.attempt) == (event.step, event.attempt):
            return started.action
    return ""


def _between(start: datetime | None, end: datetime | None) -> float:
    if start is None or end is None:
        return 0.0
    return max(0.0, (end - start).total_seconds())
