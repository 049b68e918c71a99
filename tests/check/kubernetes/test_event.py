"""kubernetes.events and .describe: whose events they are, and how old."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from healer.check.contract import CheckContext
from healer.check.kubernetes.describe import Describe, DescribeParams
from healer.check.kubernetes.event import Events, EventsParams, is_about
from healer.client.kubernetes.object import Event
from healer.errors import RejectedError
from healer.kit.clock import SystemClock
from tests.fakes.lab import NAMESPACE, Lab

PARAMS = EventsParams(reason="FailedScheduling")


def schedule(lab: Lab, name: str, *, age: timedelta = timedelta(), kind: str = "Pod") -> None:
    """An event as the scheduler writes it: without a count and with one time alone."""
    seen = (datetime.now(UTC) - age).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    about = {"kind": kind, "name": name, "namespace": NAMESPACE}
    nothing: dict[str, Any] = dict.fromkeys(("firstTimestamp", "lastTimestamp", "count"))
    lab.create(
        "events",
        f"{name}.{len(lab.store.list('events'))}",
        involvedObject=about,
        type="Warning",
        reason="FailedScheduling",
        message="0/1 nodes are available: 1 Insufficient nvidia.com/gpu.",
        eventTime=seen,
        **nothing,
    )


async def test_events_of_the_scheduler_count_though_their_times_are_null(
    lab: Lab, ctx: CheckContext
) -> None:
    check = Events(lab.healer, clock=SystemClock())
    lab.grant(check.permissions(PARAMS, namespace=NAMESPACE))
    schedule(lab, str(lab.pods[0]["metadata"]["name"]))

    found = await check.look(PARAMS, ctx)

    assert found.holds
    told = {"count": 1, "warnings": 1, "reasons": ["FailedScheduling"]}
    assert told.items() <= found.evidence.items()
    assert "Insufficient nvidia.com/gpu" in str(found.evidence["last"])


async def test_events_of_another_reason_or_another_workload_are_not_counted(
    lab: Lab, ctx: CheckContext
) -> None:
    schedule(lab, "api-gateway-7d9f8c6b5-x2x2x")
    check = Events(lab.admin, clock=SystemClock())

    assert not (await check.look(PARAMS, ctx)).holds
    assert (await check.look(EventsParams(reason="BackOff"), ctx)).evidence["count"] == 0


@pytest.mark.parametrize(
    ("kind", "name", "ours"),
    [
        ("Deployment", "api", True),
        ("ReplicaSet", "api-7d9f8c6b5", True),
        ("Pod", "api-7d9f8c6b5-x2x2x", True),
        ("Pod", "api-0", True),
        ("Deployment", "api-gateway", False),
        ("ReplicaSet", "api-gateway-7d9f8c6b5", False),
        ("Pod", "api-gateway-7d9f8c6b5-x2x2x", False),
        ("Pod", "apix-7d9f8c6b5-x2x2x", False),
    ],
)
def test_a_name_that_begins_alike_may_be_another_workload(
    kind: str, name: str, *, ours: bool
) -> None:
    event = Event.model_validate({"metadata": {}, "involvedObject": {"kind": kind, "name": name}})

    assert is_about(event, "api") is ours


async def test_without_rights_there_is_no_silence_but_an_error(lab: Lab, ctx: CheckContext) -> None:
    with pytest.raises(RejectedError, match="events is forbidden"):
        await Events(lab.healer, clock=SystemClock()).look(PARAMS, ctx)


async def test_a_description_names_the_sick_pod_first_and_tells_why(
    lab: Lab, ctx: CheckContext
) -> None:
    check, params = Describe(lab.healer), DescribeParams()
    lab.grant(check.permissions(params, namespace=NAMESPACE))
    sick = str(lab.pods[2]["metadata"]["name"])
    schedule(lab, sick)

    def hurt(pod: dict[str, Any]) -> None:
        waiting = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 40s"}}
        pod["status"]["containerStatuses"][0] |= {"state": waiting, "restartCount": 7}
        for one in pod["status"]["conditions"]:
            one["status"] = "False" if one["type"] == "Ready" else one["status"]

    lab.change("pods", sick, hurt)

    found = await check.look(params, ctx)

    lines = str(found.evidence["text"]).splitlines()
    pods = [line for line in lines if line.startswith("pod ")]
    assert lines[0].startswith("deployment api, revision 1: 3 wanted")
    assert pods[0].startswith(f"pod {sick}")
    assert "CrashLoopBackOff, 7 restarts" in pods[0]
    assert "Insufficient nvidia.com/gpu" in lines[-1]
