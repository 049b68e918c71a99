"""The smaller controllers: scheduling, endpoints, claims, namespaces, silent nodes."""

from typing import Any

import pytest

from healer.lab.contract import Object
from tests.fakes.apiserver import deployment, pod
from tests.fakes.control import Control
from tests.fakes.kubelet import make_ready, node_object

pytestmark = pytest.mark.looptime


def scheduled(control: Control, name: str = "a") -> Object:
    """The pod's PodScheduled condition."""
    found: list[Object] = control.get("pods", name)["status"].get("conditions", [])
    return next((one for one in found if one["type"] == "PodScheduled"), Object())


def asking(name: str, **requests: str) -> Object:
    """A pod that asks for resources."""
    body = pod(name)
    body["spec"]["containers"][0]["resources"] = {"requests": requests}
    return body


# ------------------------------------------------------------------------------------- scheduling


async def test_a_pod_is_bound_and_the_event_has_null_times_and_count(control: Control) -> None:
    await control.settle()
    control.store.create("pods", pod("a"))
    await control.settle()
    assert control.get("pods", "a")["spec"]["nodeName"] == "lab-1"
    event = next(one for one in control.store.list("events") if one["reason"] == "Scheduled")
    assert (event["firstTimestamp"], event["lastTimestamp"], event["count"]) == (None, None, None)
    assert event["eventTime"].startswith("2030-01-01T")
    assert event["reportingComponent"] == "default-scheduler"


async def test_what_a_pod_lacks_is_named_and_it_is_bound_once_there_is_room(
    nodeless: Control,
) -> None:
    control = nodeless
    control.store.create("pods", asking("a", cpu="2", **{"nvidia.com/gpu": "1"}))
    await control.settle()
    assert scheduled(control)["message"] == "no nodes available to schedule pods"
    control.store.create("nodes", node_object(cpu="1500m"))
    await control.settle()
    assert scheduled(control)["message"] == (
        "0/1 nodes are available: 1 Insufficient cpu, 1 Insufficient nvidia.com/gpu."
    )
    assert scheduled(control)["reason"] == "Unschedulable"
    assert "FailedScheduling" in control.reasons()
    room = {"cpu": "4", "nvidia.com/gpu": "1", "pods": "10"}
    control.store.update("nodes", "", "lab-1", lambda it: it["status"].update(allocatable=room))
    await control.settle()
    assert control.get("pods", "a")["spec"]["nodeName"] == "lab-1"


async def test_a_pod_that_ends_makes_room(nodeless: Control) -> None:
    nodeless.store.create("nodes", node_object(cpu="1"))
    nodeless.store.create("pods", asking("a", cpu="1"))
    await nodeless.settle()
    nodeless.store.create("pods", asking("b", cpu="1"))
    await nodeless.settle()
    assert "nodeName" not in nodeless.get("pods", "b")["spec"]
    nodeless.store.delete("pods", "default", "a")
    await nodeless.settle()
    assert nodeless.get("pods", "b")["spec"]["nodeName"] == "lab-1"


@pytest.mark.parametrize(
    ("node", "spec", "why"),
    [
        ({"unschedulable": True}, {}, "unschedulable"),
        ({}, {"nodeSelector": {"gpu": "h100"}}, "didn't match Pod's node affinity/selector"),
    ],
)
async def test_a_node_that_does_not_take_it_says_why(
    nodeless: Control, node: dict[str, Any], spec: dict[str, Any], why: str
) -> None:
    nodeless.store.create("nodes", node_object() | {"spec": node})
    body = pod("a")
    body["spec"] |= spec
    nodeless.store.create("pods", body)
    await nodeless.settle()
    assert why in scheduled(nodeless)["message"]


# -------------------------------------------------------------------------------------- endpoints


async def test_endpoints_list_ready_pods_by_their_ports_names(control: Control) -> None:
    control.store.create("deployments", deployment(replicas=2))
    control.store.create(
        "services",
        {
            "metadata": {"name": "web", "namespace": "default"},
            "spec": {
                "selector": {"app": "web"},
                "ports": [{"name": "api", "port": 80, "targetPort": "http"}],
            },
        },
    )
    await control.settle()
    subset = control.get("endpoints")["subsets"][0]
    assert subset["ports"] == [{"name": "api", "port": 8000, "protocol": "TCP"}]
    names = {pod["metadata"]["name"] for pod in control.pods()}
    assert {one["targetRef"]["name"] for one in subset["addresses"]} == names

    def unready(pod: Object) -> None:
        pod["status"]["conditions"] = []

    sick = min(names)
    control.store.update("pods", "default", sick, unready)
    await control.settle()
    subset = control.get("endpoints")["subsets"][0]
    assert [one["targetRef"]["name"] for one in subset["notReadyAddresses"]] == [sick]
    control.store.delete("services", "default", "web")
    assert control.get("endpoints") == {}


# --------------------------------------------------------------------- claims, namespaces, nodes


async def test_a_claim_is_bound_at_once(control: Control) -> None:
    spec = {"resources": {"requests": {"storage": "1Gi"}}}
    meta = {"name": "cache", "namespace": "default"}
    control.store.create("persistentvolumeclaims", {"metadata": meta, "spec": spec})
    await control.settle()
    found = control.get("persistentvolumeclaims", "cache")
    assert found["status"]["phase"] == "Bound"
    assert found["spec"]["volumeName"] == f"pvc-{found['metadata']['uid']}"


async def test_a_namespace_waits_for_its_pods(nodeless: Control) -> None:
    body = pod("a", node="lab-1")
    body["metadata"]["namespace"] = "other"
    nodeless.store.create("pods", body)
    nodeless.store.create("configmaps", {"metadata": {"name": "m", "namespace": "other"}})
    nodeless.store.update(
        "namespaces", "", "other", lambda it: it["metadata"].update(deletionTimestamp="2030-01-01")
    )
    await nodeless.settle()
    assert nodeless.store.list("configmaps", "other") == []
    assert nodeless.store.get("namespaces", "", "other") is not None
    nodeless.store.delete("pods", "other", "a")
    await nodeless.settle()
    assert nodeless.store.get("namespaces", "", "other") is None


async def test_pods_of_a_silent_node_stop_being_ready_though_containers_still_say_so(
    nodeless: Control,
) -> None:
    beat = {"type": "Ready", "status": "True", "lastHeartbeatTime": "2030-01-01T00:00:00Z"}
    node = node_object()
    node["status"]["conditions"] = [beat]
    nodeless.store.create("nodes", node)
    nodeless.store.create("pods", pod("a"))
    await nodeless.settle()
    now = "2030-01-01T00:00:02Z"
    nodeless.store.update("pods", "default", "a", lambda it: make_ready(it, now=now))
    await nodeless.settle(20)
    assert nodeless.get("pods", "a")["status"]["conditions"][-1]["status"] == "True"
    await nodeless.settle(30)
    status = nodeless.get("pods", "a")["status"]
    ready = next(one for one in status["conditions"] if one["type"] == "Ready")
    assert ready["status"] == "False"
    assert status["containerStatuses"][0]["ready"] is True
    found = nodeless.store.get("nodes", "", "lab-1") or {}
    assert found["status"]["conditions"][0]["status"] == "Unknown"
