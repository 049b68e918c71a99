"""What a real Alertmanager tells, and what it keeps to itself while something worse fires."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from healer.lab.monitoring import compress
from healer.lab.monitoring.alertmanager import Alertmanager
from healer.lab.monitoring.compress import Compression

SHIPPED = Path(__file__).parents[2] / "alertmanager"
WHERE = {"namespace": "production", "service": "llm-inference"}

Labels = dict[str, str]

pytestmark = pytest.mark.real


@pytest_asyncio.fixture
async def alertmanager(tmp_path: Path) -> AsyncGenerator[Alertmanager]:
    (tmp_path / "token").write_text("s3cret")
    routes = compress.routes(
        (SHIPPED / "alertmanager.yml").read_text(),
        Compression(factor=1),
        url="http://127.0.0.1:9/nobody",
        credentials_file=str(tmp_path / "token"),
    )
    async with Alertmanager(config=routes, folder=tmp_path) as started:
        yield started


def alert(name: str, **labels: str) -> Labels:
    return {"alertname": name, "severity": "warning", **WHERE, **labels}


def in_order(alerts: list[Labels]) -> list[Labels]:
    return sorted(alerts, key=lambda labels: sorted(labels.items()))


LAST = "the last to come"


async def told(alertmanager: Alertmanager, *alerts: Labels) -> list[Labels]:
    """Which of these are not inhibited, once Alertmanager has thought about the last of them.

    It answers before that: what inhibits is told to it alert by alert, in the order in which they
    came, so a pair behind all others shows how far it is. It looks at them one after the other, so
    only what is asked after that is from one moment.
    """
    url = f"{alertmanager.url}/api/v2/alerts"
    milder = {**alert("DiskSpaceLow", pod="a"), "namespace": LAST}
    worse = {**alert("DiskSpaceCritical", pod="a"), "namespace": LAST}
    async with aiohttp.ClientSession() as session:
        body = [{"labels": labels} for labels in (*alerts, milder, worse)]
        async with session.post(url, json=body) as answer:
            assert answer.status == 200, await answer.text()
        heard = False
        async with asyncio.timeout(20):
            while True:
                async with session.get(url, params={"inhibited": "false"}) as answer:
                    found: list[Labels] = [one["labels"] for one in await answer.json()]
                if heard:
                    return [labels for labels in found if labels != worse]
                heard = milder not in found
                await asyncio.sleep(0.05)


PAIRS = [
    ("a disk that is full", alert("DiskSpaceCritical", pod="a"), alert("DiskSpaceLow", pod="a")),
    ("many errors", alert("CriticalErrorRate", severity="critical"), alert("HighErrorRate")),
    (
        "a queue at its limit",
        alert("RequestQueueHigh", severity="critical"),
        alert("RequestQueueHigh"),
    ),
    (
        "restart after restart",
        alert("PodRestartLoop", severity="critical", pod="a"),
        alert("PodRestartLoop", pod="a"),
    ),
    (
        "a circuit that is stuck",
        alert("CircuitBreakerOpen", severity="critical", pod="a", circuit="ssd", stuck="true"),
        alert("CircuitBreakerOpen", severity="critical", pod="a", circuit="ssd"),
    ),
    ("memory pressure", alert("MemoryPressureMode", pod="a"), alert("ServiceDegraded")),
    ("an emergency", alert("EmergencyDegradation", pod="a"), alert("ServiceDegraded")),
    (
        "a model that went bad",
        alert("ModelIntegrityCheckFailed", pod="a"),
        alert("ServiceDegraded"),
    ),
    (
        "a model that was refused",
        alert("ModelIntegrityCheckFailed", pod="a"),
        alert("EmergencyDegradation", pod="a", severity="critical"),
    ),
    (
        "a corrupt model",
        alert("ModelIntegrityCheckFailed", pod="a"),
        alert("PodRestartLoop", pod="a", severity="critical"),
    ),
    *(
        (f"down, and so {name}", alert("ExpertDown", deployment="d"), alert(name))
        for name in (
            "HighLatency",
            "HighErrorRate",
            "CriticalErrorRate",
            "RequestQueueHigh",
            "ServiceDegraded",
            "PodRestartLoop",
            "VLLMPartialFailure",
        )
    ),
]


async def test_the_worse_is_told_and_the_milder_is_not(alertmanager: Alertmanager) -> None:
    milder: list[Labels] = []
    loud: list[Labels] = []
    for name, cause, effect in PAIRS:
        here = {"namespace": name}
        milder.append({**effect, **here})
        loud.append({**cause, **here})
        loud.append({**effect, **here, "service": "largeforge"})
        loud.append({**effect, "namespace": f"not {name}"})
    assert in_order(await told(alertmanager, *milder, *loud)) == in_order(loud)


async def test_what_may_be_the_cause_is_told_beside_what_follows_from_it(
    alertmanager: Alertmanager,
) -> None:
    sick = [
        alert("ExpertDown", severity="critical", deployment="d"),
        alert("DiskSpaceCritical", severity="critical", pod="a"),
        alert("ModelIntegrityCheckFailed", severity="critical", pod="a"),
        alert("MemoryPressureMode", pod="a"),
        alert("ContainerOOMKilled", pod="a"),
        alert("GPUMemoryHigh", pod="a"),
        alert("EmergencyDegradation", severity="critical", pod="b"),
        alert("CircuitBreakerOpen", severity="critical", pod="a", circuit="ssd"),
        alert("CertificateExpiringSoon", severity="critical", instance="https://api.example.com"),
    ]
    found = await told(alertmanager, *sick)
    assert in_order(found) == in_order(sick)


async def test_what_is_degraded_by_something_else_than_its_model_is_told(
    alertmanager: Alertmanager,
) -> None:
    sick = [
        alert("ModelIntegrityCheckFailed", severity="critical", pod="a"),
        alert("ServiceDegraded", cause="circuit"),
        alert("ServiceDegraded", cause="disk"),
    ]
    assert in_order(await told(alertmanager, *sick)) == in_order(sick)


async def test_another_pod_and_another_circuit_speak_for_themselves(
    alertmanager: Alertmanager,
) -> None:
    sick = [
        alert("DiskSpaceCritical", severity="critical", pod="a"),
        alert("DiskSpaceLow", pod="b"),
        alert("CircuitBreakerOpen", severity="critical", pod="a", circuit="ssd", stuck="true"),
        alert("CircuitBreakerOpen", severity="critical", pod="a", circuit="other"),
        alert("PodRestartLoop", severity="critical", pod="a"),
        alert("PodRestartLoop", pod="b"),
    ]
    found = await told(alertmanager, *sick)
    assert in_order(found) == in_order(sick)


async def test_the_warning_of_one_queue_is_not_hidden_by_another_alert_that_is_critical(
    alertmanager: Alertmanager,
) -> None:
    sick = [alert("PodRestartLoop", severity="critical"), alert("RequestQueueHigh")]
    assert len(await told(alertmanager, *sick)) == 2
