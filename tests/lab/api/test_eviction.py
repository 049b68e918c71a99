"""Eviction: budgets, and the quirks that a careful client must know."""

from typing import Any

import pytest

from healer.lab.api.termination import stamp
from tests.fakes.apiserver import Answer, Lab, budget, kubernetes, pod
from tests.fakes.kubelet import make_ready


def setup_pod(lab: Lab, name: str = "a") -> None:
    """A ready pod on the node."""
    lab.store.create("pods", pod(name, node="lab-1", app="web"))
    now = stamp(lab.store.now())
    lab.store.update("pods", "default", name, lambda it: make_ready(it, now=now))


def setup_budget(lab: Lab, *, allowed: int, name: str = "web", **status: Any) -> None:
    """A budget whose controller has done its work."""
    lab.store.create("poddisruptionbudgets", budget(name, minAvailable=1))
    found = {"disruptionsAllowed": allowed, "observedGeneration": 1} | status
    lab.store.update("poddisruptionbudgets", "default", name, lambda it: it.update(status=found))


def allowed(lab: Lab) -> int:
    """What is left of the budget."""
    found = lab.store.get("poddisruptionbudgets", "default", "web") or {}
    return int(found["status"]["disruptionsAllowed"])


async def evict(lab: Lab, name: str = "a", **options: Any) -> Answer:
    """Evict a pod."""
    body = {"metadata": {"name": name}, "deleteOptions": options}
    return await lab.call("POST", f"/api/v1/namespaces/default/pods/{name}/eviction", body)


def is_ending(lab: Lab) -> bool:
    """Whether the pod was told to end."""
    found = lab.store.get("pods", "default", "a") or {}
    return "deletionTimestamp" in found["metadata"]


async def test_an_eviction_is_a_201_with_a_status_and_spends_the_budget(lab: Lab) -> None:
    setup_pod(lab)
    setup_budget(lab, allowed=1)
    answer = await evict(lab)
    assert (answer.code, answer.body["kind"], answer.body["status"]) == (201, "Status", "Success")
    assert is_ending(lab)
    assert allowed(lab) == 0


async def test_the_client_library_evicts(lab: Lab) -> None:
    setup_pod(lab)
    async with lab.api() as api:
        body = kubernetes.V1Eviction(metadata=kubernetes.V1ObjectMeta(name="a"))
        await kubernetes.CoreV1Api(api).create_namespaced_pod_eviction("a", "default", body)
    assert is_ending(lab)


async def test_an_exhausted_budget_is_429_without_retry_after(lab: Lab) -> None:
    setup_pod(lab)
    setup_budget(lab, allowed=0, desiredHealthy=1, currentHealthy=1)
    answer = await evict(lab)
    assert (answer.code, answer.reason) == (429, "TooManyRequests")
    cause = answer.body["details"]["causes"][0]
    assert cause["reason"] == "DisruptionBudget"
    assert "needs 1 healthy pods and has 1 currently" in cause["message"]
    assert "Retry-After" not in answer.headers
    assert not is_ending(lab)


async def test_a_budget_not_yet_looked_at_is_429_with_retry_after(lab: Lab) -> None:
    setup_pod(lab)
    setup_budget(lab, allowed=1, observedGeneration=0)
    answer = await evict(lab)
    assert (answer.code, answer.headers["Retry-After"]) == (429, "10")


async def test_two_budgets_on_one_pod_are_500(lab: Lab) -> None:
    setup_pod(lab)
    setup_budget(lab, allowed=1)
    setup_budget(lab, allowed=1, name="second")
    answer = await evict(lab)
    assert answer.code == 500
    assert "more than one PodDisruptionBudget" in answer.message
    assert not is_ending(lab)


async def test_a_wrong_uid_is_409_and_still_spends_the_budget(lab: Lab) -> None:
    setup_pod(lab)
    setup_budget(lab, allowed=1)
    answer = await evict(lab, preconditions={"uid": "another"})
    assert (answer.code, answer.reason) == (409, "Conflict")
    assert allowed(lab) == 0
    assert not is_ending(lab)


async def test_a_dry_run_asks_the_budget_and_spends_nothing(lab: Lab) -> None:
    setup_pod(lab)
    setup_budget(lab, allowed=1)
    assert (await evict(lab, dryRun=["All"])).code == 201
    assert allowed(lab) == 1
    assert not is_ending(lab)


async def test_a_pod_that_does_not_run_needs_no_budget(lab: Lab) -> None:
    lab.store.create("pods", pod("a", node="lab-1", app="web"))
    setup_budget(lab, allowed=0)
    assert (await evict(lab)).code == 201


@pytest.mark.parametrize(("policy", "code"), [("AlwaysAllow", 201), ("IfHealthyBudget", 429)])
async def test_an_unready_pod_goes_by_the_budgets_policy(lab: Lab, policy: str, code: int) -> None:
    setup_pod(lab)
    lab.store.update("pods", "default", "a", lambda it: it["status"].update(conditions=[]))
    setup_budget(lab, allowed=0, desiredHealthy=1, currentHealthy=0)
    spec = {"unhealthyPodEvictionPolicy": policy}
    lab.store.update("poddisruptionbudgets", "default", "web", lambda it: it["spec"].update(spec))
    grown = {"observedGeneration": 2}
    lab.store.update(
        "poddisruptionbudgets", "default", "web", lambda it: it["status"].update(grown)
    )
    assert (await evict(lab)).code == code


async def test_there_is_no_eviction_of_what_is_not_there(lab: Lab) -> None:
    assert (await evict(lab)).code == 404
