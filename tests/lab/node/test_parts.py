"""The small pure parts of the node: addresses, delays, quantities, status."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healer.lab.contract import Object
from healer.lab.node.address import AddressPool
from healer.lab.node.backoff import Backoff
from healer.lab.node.field import quantity
from healer.lab.node.heartbeat import beat, node
from healer.lab.node.status import ContainerView, PodView, terminated, write


@given(st.integers(1, 254), st.integers(0, 254), st.integers(1, 400))
def test_addresses_are_unique_and_of_their_part_of_loopback(a: int, b: int, count: int) -> None:
    pool = AddressPool(prefix=f"127.{a}.{b}")
    given_out = [pool.take() for _ in range(min(count, 254))]
    assert len(set(given_out)) == len(given_out)
    for address in given_out:
        first, second, third, last = (int(part) for part in address.split("."))
        assert (first, second, third) == (127, a, b)
        assert 1 <= last <= 254


def test_a_returned_address_comes_again_only_after_the_others() -> None:
    pool = AddressPool(prefix="127.9.9")
    first = pool.take()
    pool.give_back(first)
    assert [pool.take() for _ in range(254)][-1] == first
    with pytest.raises(RuntimeError, match="in use"):
        pool.take()


@pytest.mark.parametrize("prefix", ["127.0.0", "10.1.1", "127", "127.1.1.1"])
def test_a_pool_lies_in_loopback_and_off_its_usual_addresses(prefix: str) -> None:
    with pytest.raises(ValueError, match="no part of 127/8"):
        AddressPool(prefix=prefix)


def test_the_first_restart_is_at_once_and_later_delays_double_to_the_limit() -> None:
    backoff = Backoff(delay=10, limit=300, forgotten=600)
    assert [backoff.after(1) for _ in range(8)] == [0, 10, 20, 40, 80, 160, 300, 300]
    assert backoff.after(601) == 0
    assert backoff.after(1) == 10


@pytest.mark.parametrize(
    ("written", "bytes_"),
    [("200Gi", 200 * 1024**3), ("1M", 10**6), ("5", 5), ("0.5Gi", 2**29), ("1500m", 2), (7, 7)],
)
def test_quantities_are_read_as_kubernetes_writes_them(written: str | int, bytes_: int) -> None:
    assert quantity(written) == bytes_


@pytest.mark.parametrize("written", ["", "Gi", "5GB", "five", "1e"])
def test_what_is_no_quantity_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="no Kubernetes quantity"):
        quantity(written)


def test_a_condition_keeps_its_time_until_it_changes() -> None:
    view = PodView(container=ContainerView(name="main", image="i", ready=True))
    pod: Object = {"metadata": {}, "spec": {"containers": [{}]}, "status": {}}
    write(pod, view)
    for condition in pod["status"]["conditions"]:
        condition["lastTransitionTime"] = "before"
    view.container.ready = False
    write(pod, view)
    times = {item["type"]: item["lastTransitionTime"] for item in pod["status"]["conditions"]}
    assert times["PodScheduled"] == "before"
    assert times["Ready"] != "before"


def test_what_others_wrote_into_the_status_stays() -> None:
    gate = {"type": "example.com/gate", "status": "True"}
    pod: Object = {
        "metadata": {},
        "spec": {"containers": [{}]},
        "status": {"nominatedNodeName": "n", "conditions": [gate]},
    }
    write(pod, PodView(container=ContainerView(name="main", image="i")))
    assert pod["status"]["nominatedNodeName"] == "n"
    assert gate in pod["status"]["conditions"]


@pytest.mark.parametrize(
    ("resources", "quality"),
    [
        ({}, "BestEffort"),
        ({"requests": {"cpu": "1"}}, "Burstable"),
        ({"limits": {"cpu": "1", "memory": "1Gi"}}, "Guaranteed"),
        ({"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "500m"}}, "Burstable"),
    ],
)
def test_the_quality_of_service_follows_requests_and_limits(
    resources: Object, quality: str
) -> None:
    pod: Object = {"metadata": {}, "spec": {"containers": [{"resources": resources}]}}
    write(pod, PodView(container=ContainerView(name="main", image="i")))
    assert pod["status"]["qosClass"] == quality


@pytest.mark.parametrize(
    ("code", "reason", "shown"),
    [(0, "Completed", 0), (3, "Error", 3), (-9, "Error", 137), (-15, "Error", 143)],
)
def test_an_end_has_its_exit_code_and_reason(code: int, reason: str, shown: int) -> None:
    found = terminated(code, started="", identity="")["terminated"]
    assert (found["exitCode"], found["reason"]) == (shown, reason)
    assert found.get("signal") == (-code if code < 0 else None)


def test_a_heartbeat_says_why_the_node_can_run_no_pods() -> None:
    found = node("lab-1")
    beat(found, lacks="its disk is away")
    ready = next(one for one in found["status"]["conditions"] if one["type"] == "Ready")
    assert (ready["status"], ready["message"]) == ("False", "its disk is away")


def test_a_heartbeat_keeps_transition_times_and_leaves_a_cordon_alone() -> None:
    found = node("lab-1")
    beat(found)
    for condition in found["status"]["conditions"]:
        condition["lastTransitionTime"] = "before"
    found["spec"]["unschedulable"] = True
    beat(found)
    assert {item["lastTransitionTime"] for item in found["status"]["conditions"]} == {"before"}
    assert found["spec"] == {"unschedulable": True}
