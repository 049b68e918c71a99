"""Probes against a real server: who is ready, who is restarted, and how looks are counted."""

from typing import Any

import pytest

from healer.lab.contract import Object
from healer.lab.node.probe import Tally, find
from tests.fakes.node import Lab, mounted

STATE = mounted("/state", emptyDir={})


def get(path: str, **more: Any) -> Object:
    return {"httpGet": {"path": path, "port": 8000}, "periodSeconds": 0.05, **more}


async def test_a_pod_is_ready_while_its_probe_says_so(lab: Lab) -> None:
    lab.run(readinessProbe=get("/ready", failureThreshold=2), **STATE)
    await lab.ready()
    await lab.sh("touch /state/ready")
    await lab.cluster.until(lambda: not lab.container()["ready"])
    conditions = {item["type"]: item for item in lab.status()["conditions"]}
    assert conditions["Ready"]["status"] == "False"
    assert conditions["Ready"]["reason"] == "ContainersNotReady"
    assert conditions["Initialized"]["status"] == "True"
    messages = [event["message"] for event in lab.cluster.events]
    assert "Readiness probe failed: HTTP probe failed with statuscode: 503" in messages
    await lab.sh("rm /state/ready")
    await lab.ready()
    assert lab.container()["restartCount"] == 0


async def test_a_container_that_fails_its_liveness_probe_is_restarted(lab: Lab) -> None:
    lab.run(livenessProbe=get("/live", initialDelaySeconds=0.3), **STATE)
    await lab.running()
    await lab.sh("touch /state/live")
    await lab.cluster.until(lambda: lab.container().get("restartCount") == 1)
    assert lab.container()["lastState"]["terminated"]["exitCode"] == 0
    assert lab.cluster.reasons("web").count("Started") == 2
    messages = [event["message"] for event in lab.cluster.events]
    assert "Container main failed liveness probe, will be restarted" in messages


async def test_until_the_startup_probe_passes_nothing_else_is_asked(lab: Lab) -> None:
    lab.run(
        startupProbe=get("/", failureThreshold=1000),
        readinessProbe=get("/"),
        livenessProbe=get("/", failureThreshold=1),
    )
    await lab.ready()
    assert lab.container()["started"]
    assert lab.container()["restartCount"] == 0


async def test_a_container_that_never_starts_is_killed_when_the_tolerance_is_over(
    lab: Lab,
) -> None:
    lab.run(startupProbe=get("/", failureThreshold=3), image="shell", args=["sleep 60"])
    await lab.cluster.until(lambda: lab.container().get("restartCount", 0) >= 1)
    assert lab.container()["lastState"]["terminated"]["signal"] == 15


async def test_a_command_and_a_port_can_be_probed_too(lab: Lab) -> None:
    lab.run(
        "command",
        readinessProbe={"exec": {"command": ["test", "-e", "/state/up"]}, "periodSeconds": 0.05},
        **STATE,
    )
    lab.run("port", readinessProbe={"tcpSocket": {"port": 8000}, "periodSeconds": 0.05})
    await lab.ready("port")
    assert not lab.container("command").get("ready")
    await lab.sh("touch /state/up", name="command")
    await lab.ready("command")


def test_a_probe_has_the_defaults_of_kubernetes() -> None:
    probe = find({"livenessProbe": {"httpGet": {"port": 80}}}, "liveness")
    assert probe is not None
    assert (probe.period, probe.timeout, probe.failures, probe.successes) == (10, 1, 3, 1)
    assert find({"livenessProbe": {"httpGet": {"port": 80}}}, "readiness") is None


@pytest.mark.parametrize(
    ("looks", "verdict"),
    [("", None), ("+", None), ("++", True), ("--", None), ("---", False), ("--++", True)],
)
def test_a_verdict_needs_its_number_of_looks_in_a_row(looks: str, verdict: bool | None) -> None:
    spec = {"httpGet": {"port": 80}, "failureThreshold": 3, "successThreshold": 2}
    probe = find({"readinessProbe": spec}, "readiness")
    assert probe is not None
    tally = Tally(probe=probe)
    for look in looks:
        tally.count("" if look == "+" else "503")
    assert tally.verdict is verdict
