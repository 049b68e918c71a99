"""Rules that look further than one object: claims that grow, autoscalers, namespaces, bindings."""

from typing import Any

import pytest

from healer.lab.controller.claim import Binder
from tests.fakes.apiserver import Answer, Lab, autoscaler, budget, deployment

CLAIMS = "/api/v1/namespaces/default/persistentvolumeclaims"
MERGE = "application/merge-patch+json"


async def claim(lab: Lab, *, grows: bool | None = True, bound: bool = True) -> None:
    """A claim of 200Gi; `grows` None: of no class that exists."""
    if grows is not None:
        meta: Any = {
            "name": "fast",
            "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
        }
        lab.store.create("storageclasses", {"metadata": meta, "allowVolumeExpansion": grows})
    spec = {"resources": {"requests": {"storage": "200Gi"}}, "accessModes": ["ReadWriteOnce"]}
    await lab.call("POST", CLAIMS, {"metadata": {"name": "cache"}, "spec": spec})
    if bound:
        await Binder(cluster=lab.store).reconcile(("default", "cache"))


async def resize(lab: Lab, size: str) -> Answer:
    """Ask for another size."""
    body = {"spec": {"resources": {"requests": {"storage": size}}}}
    return await lab.call("PATCH", f"{CLAIMS}/cache", body, content_type=MERGE)


async def test_a_claim_is_bound_and_grows_where_its_class_lets_it(lab: Lab) -> None:
    await claim(lab)
    found = (await lab.call("GET", f"{CLAIMS}/cache")).body
    assert (found["status"]["phase"], found["spec"]["storageClassName"]) == ("Bound", "fast")
    assert found["status"]["capacity"] == {"storage": "200Gi"}
    assert (await resize(lab, "300Gi")).code == 200


@pytest.mark.parametrize("grows", [False, None])
async def test_a_class_that_does_not_let_it_grow_forbids(lab: Lab, *, grows: bool | None) -> None:
    await claim(lab, grows=grows)
    refused = await resize(lab, "300Gi")
    assert (refused.code, refused.reason) == (403, "Forbidden")
    assert "must support resize" in refused.message


async def test_an_unbound_claim_cannot_grow(lab: Lab) -> None:
    await claim(lab, bound=False)
    assert (await resize(lab, "300Gi")).code == 403


@pytest.mark.parametrize("size", ["100Gi", "lots"])
async def test_a_claim_never_shrinks(lab: Lab, size: str) -> None:
    await claim(lab)
    refused = await resize(lab, size)
    assert (refused.code, refused.reason) == (422, "Invalid")


async def test_the_rest_of_a_claim_is_fixed(lab: Lab) -> None:
    await claim(lab)
    body = {"spec": {"accessModes": ["ReadWriteMany"]}}
    refused = await lab.call("PATCH", f"{CLAIMS}/cache", body, content_type=MERGE)
    assert "spec is immutable" in refused.message


@pytest.mark.parametrize(("low", "high"), [(3, 2), (0, 2), (1, 0)])
async def test_an_autoscaler_needs_bounds_that_make_sense(lab: Lab, low: int, high: int) -> None:
    path = "/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers"
    body = autoscaler(low=low, high=high)
    body["spec"]["minReplicas"] = low
    assert (await lab.call("POST", path, body)).code == 422


async def test_a_budget_says_least_or_most_but_not_both(lab: Lab) -> None:
    path = "/apis/policy/v1/namespaces/default/poddisruptionbudgets"
    body = budget(minAvailable=1, maxUnavailable=1)
    assert (await lab.call("POST", path, body)).code == 422


async def test_a_selector_that_cannot_be_read_is_invalid(lab: Lab) -> None:
    path = "/apis/policy/v1/namespaces/default/poddisruptionbudgets"
    body = budget(minAvailable=1)
    body["spec"]["selector"] = {"matchExpressions": [{"key": "a", "operator": "Like"}]}
    refused = await lab.call("POST", path, body)
    assert (refused.code, refused.reason) == (422, "Invalid")
    assert "spec.selector.matchExpressions[0].operator" in refused.message


async def test_a_selector_and_a_role_reference_are_for_life(lab: Lab) -> None:
    lab.store.create("deployments", deployment())
    path = "/apis/apps/v1/namespaces/default/deployments/web"
    changed = deployment()
    changed["spec"]["selector"]["matchLabels"]["x"] = "y"
    changed["spec"]["template"]["metadata"]["labels"]["x"] = "y"
    refused = await lab.call("PUT", path, changed)
    assert "field is immutable" in refused.message


async def test_nothing_is_created_in_a_namespace_that_ends(lab: Lab) -> None:
    await lab.call("POST", "/api/v1/namespaces", {"metadata": {"name": "old"}})
    await lab.call("DELETE", "/api/v1/namespaces/old")
    path = "/api/v1/namespaces/old/configmaps"
    refused = await lab.call("POST", path, {"metadata": {"name": "a"}})
    assert (refused.code, refused.reason) == (403, "Forbidden")
    assert "because it is being terminated" in refused.message


async def test_secrets_keep_plain_text_coded(lab: Lab) -> None:
    path = "/api/v1/namespaces/default/secrets"
    body = {"metadata": {"name": "s"}, "stringData": {"key": "value"}}
    made = (await lab.call("POST", path, body)).body
    assert (made["data"], made["type"]) == ({"key": "dmFsdWU="}, "Opaque")
    assert "stringData" not in made
