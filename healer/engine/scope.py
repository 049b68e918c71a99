"""The names that conditions and templates may use, with their values. Pure."""

from collections.abc import Mapping
from datetime import datetime

from healer.model.alert import Alert
from healer.model.incident import Incident
from healer.model.outcome import Finding, Json, Outcome
from healer.model.playbook import StepId
from healer.model.service import Service, Target

Scope = Mapping[str, Json]


def alert_scope(alert: Alert, service: Service, *, now: datetime) -> Scope:
    """What is known when nothing but the alert is known: for the target."""
    return {"alert": _alert(alert, now), "service": _service(service)}


def incident_scope(incident: Incident, service: Service, target: Target, *, now: datetime) -> Scope:
    """Everything: the oldest firing alert is `alert`, findings are `checks`, outcomes `steps`."""
    alerts = sorted(incident.firing or incident.alerts.values(), key=lambda one: one.starts_at)
    opened = incident.opened_at or now
    return {
        "alert": _alert(alerts[0], now) if alerts else {},
        "alerts": [_alert(alert, now) for alert in alerts],
        "service": _service(service),
        "target": {"namespace": target.namespace, "kind": target.kind, "name": target.name},
        "checks": _checks(incident.run.findings or ()),
        "steps": _steps(incident.run.done),
        "incident": {
            "id": incident.id,
            "severity": incident.severity,
            "age_seconds": (now - opened).total_seconds(),
            "failed_runs": incident.failed_runs,
        },
    }


def with_findings(scope: Scope, findings: tuple[Finding, ...]) -> Scope:
    """The same scope with other findings."""
    return {**scope, "checks": _checks(findings)}


def _alert(alert: Alert, now: datetime) -> Json:
    return {
        "labels": dict(alert.labels),
        "annotations": dict(alert.annotations),
        "age_seconds": (now - alert.starts_at).total_seconds(),
    }


def _service(service: Service) -> Json:
    return {
        "name": service.name,
        "namespace": service.namespace,
        "workload": str(service.workload),
        "selector": service.selector,
        "thresholds": dict(service.thresholds),
        "values": dict(service.values),
    }


def _checks(findings: tuple[Finding, ...]) -> Json:
    """A check that could not look has no evidence here, so a condition upon it fails aloud."""
    return {
        finding.check: {
            "known": finding.known,
            "summary": finding.summary,
            **({"holds": finding.holds, **finding.evidence} if finding.known else {}),
        }
        for finding in findings
    }


def _steps(done: Mapping[StepId, Outcome]) -> Json:
    return {
        step: {"result": outcome.result.value, "summary": outcome.summary, **outcome.evidence}
        for step, outcome in done.items()
    }
