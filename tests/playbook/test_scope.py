"""What conditions and templates can name is what the incident knows."""

from datetime import timedelta

from healer.model.alert import Alert, AlertStatus, Fingerprint
from healer.model.event import IncidentId, IncidentKey
from healer.model.incident import Incident, Run
from healer.model.outcome import Finding, Outcome, Result
from healer.model.playbook import StepId
from healer.model.service import Endpoint, Service, Target
from healer.playbook.scope import ROOTS, Names, build_scope
from tests.fakes.clock import START

WORKLOAD = Target(namespace="production", kind="deployment", name="api")
SERVICE = Service(
    name="api",
    match=(),
    workload=WORKLOAD,
    selector="app=api",
    thresholds={"free": 20.0},
    values={"claim": "cache"},
    inference=Endpoint(admin_key="geheim-1"),
    pagerduty_key="geheim-2",
)


def _alert(name: str, status: AlertStatus, minutes: int) -> Alert:
    return Alert(
        fingerprint=Fingerprint(name),
        status=status,
        labels={"alertname": name},
        starts_at=START - timedelta(minutes=minutes),
    )


INCIDENT = Incident(
    id=IncidentId("i-1"),
    key=IncidentKey(
        service="api", playbook="P", target=Target(namespace="n", kind="pod", name="api-0")
    ),
    severity="P1",
    opened_at=START - timedelta(minutes=5),
    alerts={
        Fingerprint("Old"): _alert("Old", AlertStatus.RESOLVED, 9),
        Fingerprint("New"): _alert("New", AlertStatus.FIRING, 3),
    },
    run=Run(
        findings=(
            Finding(check="free", holds=True, summary="s", evidence={"value": 7, "holds": 0}),
        ),
        done={
            StepId("grow"): Outcome(
                result=Result.SUCCEEDED, summary="grown", evidence={"replicas": 5}
            )
        },
    ),
    failed_runs=1,
)


def test_every_root_is_there_and_no_other() -> None:
    assert set(build_scope(INCIDENT, SERVICE, now=START)) == set(ROOTS)


def test_the_alert_is_the_one_that_fires() -> None:
    scope = build_scope(INCIDENT, SERVICE, now=START)
    assert scope["alert"] == {"labels": {"alertname": "New"}, "annotations": {}, "age_seconds": 180}
    assert scope["alerts"] == [scope["alert"]]


def test_findings_steps_and_the_incident_are_as_they_were_recorded() -> None:
    scope = build_scope(INCIDENT, SERVICE, now=START)
    assert scope["checks"] == {"free": {"value": 7, "holds": True, "known": True, "summary": "s"}}
    assert scope["steps"] == {"grow": {"replicas": 5, "result": "succeeded", "summary": "grown"}}
    assert scope["target"] == {"namespace": "n", "kind": "pod", "name": "api-0"}
    assert scope["incident"] == {
        "id": "i-1",
        "severity": "P1",
        "age_seconds": 300,
        "failed_runs": 1,
    }


def test_fresher_findings_replace_those_of_the_run() -> None:
    fresh = [Finding(check="other", holds=False, summary="", known=False)]
    scope = build_scope(INCIDENT, SERVICE, now=START, findings=fresh)
    assert scope["checks"] == {"other": {"holds": False, "known": False, "summary": ""}}


def test_no_secret_of_a_service_can_be_named() -> None:
    assert "geheim" not in str(build_scope(INCIDENT, SERVICE, now=START))


def test_before_there_is_a_key_the_target_is_the_workload() -> None:
    scope = build_scope(Incident(id=IncidentId("")), SERVICE, now=START)
    assert scope["target"] == {"namespace": "production", "kind": "deployment", "name": "api"}
    assert scope["alerts"] == []


def test_every_name_that_the_scope_has_is_a_known_name() -> None:
    names = Names(checks=frozenset({"free"}), steps=frozenset({"grow"}))
    for root, value in build_scope(INCIDENT, SERVICE, now=START).items():
        fields = value if isinstance(value, dict) else {}
        for field in fields:
            assert names.problem((root, str(field))) == ""


def test_evidence_that_a_check_declares_is_known_by_name_and_no_other_is() -> None:
    names = Names(
        checks=frozenset({"free", "parts", "own"}),
        evidence={"free": frozenset({"value", "series"}), "parts": frozenset({"worst", "*"})},
    )
    known = ["free.value", "free.holds", "free.known", "free.summary", "free", "parts.ssd", "own.x"]
    for name in known:
        assert names.problem(("checks", *name.split("."))) == ""
    problem = names.problem(("checks", "free", "valeu"))
    assert problem == "`checks.free` has no `valeu`; did you mean `value`?"
