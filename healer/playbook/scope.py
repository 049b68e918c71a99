"""What conditions and templates can name: which names there are, and what they stand for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from healer.model.alert import Alert
from healer.model.incident import Incident
from healer.model.outcome import ANY_NAME, Finding, Json
from healer.model.service import Service, Target
from healer.playbook.nearest import did_you_mean
from healer.playbook.value import MAX_ITEMS

Scope = Mapping[str, Json]

_FIELDS: Mapping[str, frozenset[str]] = {
    "alert": frozenset({"labels", "annotations", "age_seconds"}),
    "service": frozenset(
        {"name", "namespace", "workload", "selector", "thresholds", "values"},
    ),
    "target": frozenset({"namespace", "kind", "name"}),
    "incident": frozenset({"id", "severity", "age_seconds", "failed_runs"}),
}
_MAPS = frozenset({"labels", "annotations", "thresholds", "values"})
"""Fields under which any name may stand: only the running world knows which there are."""

SAID = frozenset({"holds", "known", "summary"})
"""What every finding says beside its evidence."""

_NAMED = frozenset({"checks", "steps"})
ROOTS = frozenset({*_FIELDS, *_NAMED, "alerts"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """The names that are known at one place of a playbook."""

    roots: frozenset[str] = ROOTS
    checks: frozenset[str] = frozenset()
    steps: frozenset[str] = frozenset()
    evidence: Mapping[str, frozenset[str]] = field(default_factory=dict[str, frozenset[str]])
    """By the id of a check, where it is known: the names that its findings hold."""

    def problem(self, parts: Sequence[str]) -> str:
        """What is wrong with the name `parts`; the empty text where nothing is."""
        root, rest = parts[0], parts[1:]
        if root not in self.roots:
            if root in ROOTS:
                return f"`{root}` is not known at this place, only later"
            return f"`{root}` is not known{did_you_mean(root, self.roots)}"
        if root in _NAMED:
            return self._problem_of_id(root, rest)
        return _problem_of_field(root, rest)

    def _problem_of_id(self, root: str, rest: Sequence[str]) -> str:
        known = self.checks if root == "checks" else self.steps
        if not rest:
            return ""
        if rest[0] in known:
            return self._problem_of_evidence(rest) if root == "checks" else ""
        where = "in `diagnose`" if root == "checks" else "among the steps"
        return f"`{root}.{rest[0]}`: no such id {where}{did_you_mean(rest[0], known)}"

    def _problem_of_evidence(self, rest: Sequence[str]) -> str:
        names = self.evidence.get(rest[0])
        if names is None or len(rest) == 1 or ANY_NAME in names:
            return ""
        said = names | SAID
        if rest[1] in said:
            return ""
        return f"`checks.{rest[0]}` has no `{rest[1]}`{did_you_mean(rest[1], said)}"


def _problem_of_field(root: str, rest: Sequence[str]) -> str:
    fields = _FIELDS.get(root)
    if fields is None or not rest:
        return ""
    name = rest[0]
    if name not in fields:
        return f"`{root}` has no `{name}`{did_you_mean(name, fields)}"
    if len(rest) > 1 and name not in _MAPS:
        return f"`{root}.{name}` is a plain value: nothing stands under it"
    return ""


def build_scope(
    incident: Incident,
    service: Service,
    *,
    now: datetime,
    findings: Sequence[Finding] | None = None,
    target: Target | None = None,
) -> dict[str, Json]:
    """What the names stand for now.

    `alert` is the first that fires, or the first at all; `alerts` are at most as many as a
    condition can be given. `findings` are fresher ones than those of the run; `target` is for
    the time before the incident has a key.
    """
    alerts = incident.firing or tuple(incident.alerts.values())
    seen = [_alert(alert, now) for alert in alerts[:MAX_ITEMS]]
    key = incident.key
    at = target or (key.target if key else service.workload)
    found = findings if findings is not None else incident.run.findings or ()
    return {
        "alert": seen[0] if seen else {"labels": {}, "annotations": {}, "age_seconds": 0.0},
        "alerts": seen,
        "service": _service(service),
        "target": {"namespace": at.namespace, "kind": at.kind, "name": at.name},
        "checks": {finding.check: _finding(finding) for finding in found},
        "steps": {
            str(step): {
                **outcome.evidence,
                "result": str(outcome.result),
                "summary": outcome.summary,
            }
            for step, outcome in incident.run.done.items()
        },
        "incident": {
            "id": str(incident.id),
            "severity": incident.severity,
            "age_seconds": _age(incident.opened_at, now),
            "failed_runs": incident.failed_runs,
        },
    }


def _alert(alert: Alert, now: datetime) -> dict[str, Json]:
    return {
        "labels": dict(alert.labels),
        "annotations": dict(alert.annotations),
        "age_seconds": _age(alert.starts_at, now),
    }


def _service(service: Service) -> dict[str, Json]:
    return {
        "name": service.name,
        "namespace": service.namespace,
        "workload": str(service.workload),
        "selector": service.selector,
        "thresholds": dict(service.thresholds),
        "values": dict(service.values),
    }


def _finding(finding: Finding) -> dict[str, Json]:
    return {
        **finding.evidence,
        "holds": finding.holds,
        "known": finding.known,
        "summary": finding.summary,
    }


def _age(since: datetime | None, now: datetime) -> float:
    return max(0.0, (now - since).total_seconds()) if since else 0.0
