"""A case plays the real engine: what comes true is a success, and each difference is told."""

import json
from pathlib import Path

from click.testing import CliRunner, Result

from healer.cli.main import main

PLAYBOOK = """apiVersion: healer/v1
kind: Playbook
metadata: {name: DISK, title: Disk full}
spec:
  match: [['alertname="DiskFull"']]
  mode: MODE
  guards: [{guard: cooldown, with: {after: 5m}}]
  diagnose: [{id: free, check: prometheus.query, with: {query: up}}]
  remedies:
    - name: make-room
      when: checks.free.value < 20.0
      steps:
        - id: evict
          action: inference.cache-evict
          with: {older_than: '{{ alert.labels.age }}'}
          attempts: 2
        - {id: rest, action: flow.wait, with: {for: 90s}, timeout: 3m}
  verify: {until: checks.free.value > 20.0, for: 1m, timeout: 5m, watch: 10m}
  escalate: {after: 40m, to: [lead]}
"""
CASE = """apiVersion: healer/v1
kind: PlaybookTest
playbooks: [../DISK.yaml]
services:
  - name: api
    match: ['service="api"']
    workload: production/deployment/api
    selector: app=api
cases:
  - name: room is made
    alerts: [{labels: {alertname: DiskFull, service: api, age: 3d}}]
    world: {free: {value: 12}}
    then:
      - {after: evict, world: {free: {value: 60}}}
      - {after: rest, delay: 1m, resolve: true}
    expect:
      branch: make-room
      steps: [evict: {older_than: 3d}, rest: {for: 90s}]
      ending: healed
"""


HANGS = (
    "it never runs out: after 1d the incident is still held; "
    "let something happen under `then`, or say `until: 10m`"
)


def _run(folder: Path, text: str, *args: str, mode: str = "auto") -> Result:
    (folder / "tests").mkdir(exist_ok=True)
    (folder / "DISK.yaml").write_text(PLAYBOOK.replace("MODE", mode))
    (folder / "tests" / "DISK.test.yaml").write_text(text)
    return CliRunner().invoke(main, ["playbook", "test", str(folder), *args])


def _wrong(folder: Path, text: str, mode: str = "auto") -> list[str]:
    """In what the one case did not come true."""
    result = _run(folder, text, "-o", "json", mode=mode)
    (file,) = json.loads(result.output)
    assert not file["faults"]
    assert result.exit_code == (0 if file["ok"] else 1)
    (case,) = file["cases"]
    wrong: list[str] = case["wrong"]
    return wrong


def test_what_comes_true_is_a_success_and_costs_no_real_time(tmp_path: Path) -> None:
    result = _run(tmp_path, CASE)
    assert result.exit_code == 0
    assert "SUCCESS  1 cases" in result.output
    (file,) = json.loads(_run(tmp_path, CASE, "-o", "json").output)
    (case,) = file["cases"]
    assert case["lasted"].startswith("17m30s"), (
        "90 s of rest, 1 m verified, 10 m watched, 5 m quiet"
    )
    assert case["milliseconds"] < 5000


def test_another_parameter_than_expected_is_told_with_what_came(tmp_path: Path) -> None:
    assert _wrong(tmp_path, CASE.replace("older_than: 3d", "older_than: 4d")) == [
        "step evict: expected {older_than: 4d}; came {older_than: 3d}"
    ]


def test_a_step_too_few_or_too_many_is_told(tmp_path: Path) -> None:
    assert _wrong(tmp_path, CASE.replace(", rest: {for: 90s}]", "]")) == [
        "steps: expected evict; came evict, rest"
    ]


def test_steps_that_a_case_does_not_name_must_not_be_done(tmp_path: Path) -> None:
    text = CASE.replace("      steps: [evict: {older_than: 3d}, rest: {for: 90s}]\n", "")
    assert _wrong(tmp_path, text) == ["steps: expected none; came evict, rest"]


def test_another_ending_is_told_with_its_reason(tmp_path: Path) -> None:
    (told,) = _wrong(tmp_path, CASE.replace("ending: healed", "ending: rehearsed"))
    assert told == "ending: expected rehearsed; came healed (stayed healed for 10m)"


def test_a_human_who_is_called_unexpectedly_is_told(tmp_path: Path) -> None:
    text = CASE.replace(
        "    then:", "    steps: {evict: {result: refused, summary: no key}}\n    then:"
    )
    told = _wrong(tmp_path, text)
    assert "a human: expected not called; came called: evict failed: no key" in told


def test_a_refusal_that_a_case_does_not_name_is_a_difference(tmp_path: Path) -> None:
    text = CASE.replace("    world:", "    given: {silenced: true}\n    world:")
    text = text.replace(
        "      - {after: evict", "      - {at: 9m, silence: false}\n      - {after: evict"
    )
    assert _wrong(tmp_path, text) == [
        "refusals: expected no other; came silence says hold: silenced in Alertmanager: of-the-case"
    ]
    named = text.replace("      ending", "      refusals: [{guard: silence}]\n      ending")
    assert _wrong(tmp_path, named) == []


def test_an_approval_is_asked_for_and_given(tmp_path: Path) -> None:
    text = CASE.replace("    then:", "    then:\n      - {at: 5m, approve: alice}")
    text = text.replace(
        "      ending", "      refusals: [{guard: approval, decision: ask}]\n      ending"
    )
    assert _wrong(tmp_path, text, mode="approve") == []


def test_a_denial_calls_a_human_and_changes_nothing(tmp_path: Path) -> None:
    head = CASE[: CASE.index("    then:")]
    text = f"""{head}    then: [{{at: 5m, deny: {{by: alice, reason: not tonight}}}}]
    expect:
      branch: make-room
      refusals: [{{guard: approval, decision: ask}}]
      called: 'alice said no: not tonight'
      ending: escalated
"""
    assert _wrong(tmp_path, text, mode="approve") == []


def test_an_answer_to_nothing_asked_is_a_fault_of_the_case(tmp_path: Path) -> None:
    text = CASE.replace("    then:", "    then:\n      - {at: 1s, approve: alice}")
    (told,) = _wrong(tmp_path, text)
    assert told.startswith("at 1s: ")
    assert "asks for no approval" in told


def test_a_step_that_fails_is_tried_again_as_often_as_it_may(tmp_path: Path) -> None:
    text = CASE.replace("    then:", "    steps: {evict: [{result: failed}, {}]}\n    then:")
    told = _wrong(tmp_path, text)
    assert told == ["steps: expected evict, rest; came evict, evict, rest"]


def test_a_step_takes_its_time_and_no_more_than_its_timeout(tmp_path: Path) -> None:
    text = CASE.replace(
        "    then:", "    steps: {evict: {takes: 2m, settled: succeeded}}\n    then:"
    )
    assert _wrong(tmp_path, text) == []


def test_what_is_never_asked_to_happen_is_a_fault_of_the_case(tmp_path: Path) -> None:
    text = CASE.replace("    then:", "    steps: {rest: {}, evict: {result: refused}}\n    then:")
    told = _wrong(tmp_path, text)
    assert "`then` after `evict`: that step never succeeded" in told
    assert "`then` after `rest`: that step never succeeded" in told


def test_a_check_without_an_answer_is_a_fault_of_the_case(tmp_path: Path) -> None:
    told = _wrong(tmp_path, CASE.replace("    world: {free: {value: 12}}\n", ""))
    assert "check `free` was asked, and `world` does not say what it sees" in told


def test_a_case_that_never_runs_out_says_where_it_hangs(tmp_path: Path) -> None:
    patient = PLAYBOOK.replace("  escalate: {after: 40m, to: [lead]}\n", "")
    text = CASE[: CASE.index("    then:")]
    text = text.replace("    world:", "    given: {silenced: true}\n    world:")
    text += "    expect: {branch: make-room, refusals: [{guard: silence}], ending: held}\n"
    (tmp_path / "HANG.yaml").write_text(patient.replace("MODE", "auto"))
    told = _wrong(tmp_path, text.replace("DISK.yaml", "HANG.yaml"))
    assert told == [HANGS]
    bounded = text.replace("    expect", "    until: 3h\n    expect")
    assert _wrong(tmp_path, bounded.replace("DISK.yaml", "HANG.yaml")) == []


def test_an_alert_that_is_of_no_service_is_no_incident(tmp_path: Path) -> None:
    head = CASE[: CASE.index("    then:")].replace("service: api,", "service: web,")
    assert _wrong(tmp_path, f"{head}    expect: []\n") == []
    (told,) = _wrong(tmp_path, f"{head}    expect: {{ending: healed}}\n")
    assert told == "incidents: expected 1; came none"


def test_an_alert_that_no_playbook_is_for_is_said_to_be_unmatched(tmp_path: Path) -> None:
    head = CASE[: CASE.index("    then:")].replace("alertname: DiskFull", "alertname: Other")
    assert _wrong(tmp_path, f"{head}    expect: {{ending: unmatched}}\n") == []


def test_two_incidents_are_told_apart_by_the_order_of_their_opening(tmp_path: Path) -> None:
    head = CASE[: CASE.index("    then:")]
    text = f"""{head}    steps: {{evict: {{result: refused, summary: the key is wrong}}}}
    then:
      - {{at: 2m, resolve: true}}
      - {{at: 3m, fire: [{{labels: {{alertname: DiskFull, service: api, age: 3d}}}}]}}
      - {{at: 4m, resolve: true}}
    expect:
      - {{branch: make-room, steps: [evict], called: the key is wrong, ending: resolved}}
      - branch: make-room
        refusals: [{{guard: cooldown, reason: was acted upon}}]
        ending: resolved
        reason: before anything was done
"""
    assert _wrong(tmp_path, text) == []


def test_a_table_names_the_file_and_the_line_of_a_case_that_failed(tmp_path: Path) -> None:
    result = _run(tmp_path, CASE.replace("branch: make-room", "branch:"))
    assert result.exit_code == 1
    assert "FAILED:  1 of 1 cases" in result.output
    assert "DISK.test.yaml:10: room is made" in result.output
    assert "branch: expected none; came make-room (checks.free.value < 20.0 holds)" in result.output
