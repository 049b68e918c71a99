"""/scale: the new spec beside the old status."""

import pytest

from tests.fakes.apiserver import Lab, deployment, kubernetes

SCALE = "/apis/apps/v1/namespaces/default/deployments/web/scale"
MERGE = "application/merge-patch+json"


@pytest.fixture
async def web(lab: Lab) -> Lab:
    """A deployment that runs three and is not looked after."""
    lab.store.create("deployments", deployment())
    lab.store.update("deployments", "default", "web", lambda it: it.update(status={"replicas": 3}))
    return lab


async def test_it_answers_the_new_spec_and_the_old_status(web: Lab) -> None:
    async with web.api() as api:
        apps = kubernetes.AppsV1Api(api)
        body = {"spec": {"replicas": 5}}
        found = await apps.patch_namespaced_deployment_scale("web", "default", body)
        assert (found.api_version, found.kind) == ("autoscaling/v1", "Scale")
        assert (found.spec.replicas, found.status.replicas) == (5, 3)
        assert found.status.selector == "app=web"
        again = await apps.read_namespaced_deployment_scale("web", "default")
        assert again.spec.replicas == 5


async def test_put_replaces_and_counts_as_a_change_of_the_spec(web: Lab) -> None:
    found = (await web.call("GET", SCALE)).body
    found["spec"]["replicas"] = 4
    assert (await web.call("PUT", SCALE, found)).code == 200
    stored = web.store.get("deployments", "default", "web") or {}
    assert (stored["spec"]["replicas"], stored["metadata"]["generation"]) == (4, 2)


async def test_a_stale_scale_is_a_conflict(web: Lab) -> None:
    found = (await web.call("GET", SCALE)).body
    await web.call("PATCH", SCALE, {"spec": {"replicas": 9}}, content_type=MERGE)
    refused = await web.call("PUT", SCALE, found)
    assert (refused.code, refused.reason) == (409, "Conflict")


@pytest.mark.parametrize("replicas", [-1, "2"])
async def test_what_is_no_number_of_replicas_is_invalid(web: Lab, replicas: object) -> None:
    body = {"spec": {"replicas": replicas}}
    refused = await web.call("PATCH", SCALE, body, content_type=MERGE)
    assert (refused.code, refused.reason) == (422, "Invalid")
    assert refused.message.startswith('Scale.autoscaling "web" is invalid: spec.replicas')


async def test_what_cannot_be_scaled_has_no_scale(web: Lab) -> None:
    web.store.create("configmaps", {"metadata": {"name": "a"}})
    found = await web.call("GET", "/api/v1/namespaces/default/configmaps/a/scale")
    assert (found.code, found.reason) == (404, "NotFound")
