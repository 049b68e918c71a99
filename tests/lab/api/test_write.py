"""create, update, delete, dry runs: held to what a real API server answers."""

from typing import Any

import pytest

from tests.fakes.apiserver import Lab, deployment, kubernetes, pod

PODS = "/api/v1/namespaces/default/pods"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
MAPS = "/api/v1/namespaces/default/configmaps"


async def test_a_created_object_has_uid_version_time_and_defaults(lab: Lab) -> None:
    made = (await lab.call("POST", DEPLOYMENTS, deployment())).body
    assert made["metadata"]["uid"]
    assert int(made["metadata"]["resourceVersion"]) > 0
    assert made["metadata"]["generation"] == 1
    assert made["metadata"]["creationTimestamp"].endswith("Z")
    assert made["spec"]["strategy"]["rollingUpdate"] == {"maxSurge": "25%", "maxUnavailable": "25%"}
    container = made["spec"]["template"]["spec"]["containers"][0]
    assert container["imagePullPolicy"] == "IfNotPresent"


async def test_resource_versions_rise_with_every_change_of_anything(lab: Lab) -> None:
    versions: list[int] = []
    for name in ("a", "b"):
        made = await lab.call("POST", MAPS, {"metadata": {"name": name}})
        versions.append(int(made.body["metadata"]["resourceVersion"]))
    changed = await lab.call("PUT", f"{MAPS}/a", {"data": {"x": "1"}})
    versions.append(int(changed.body["metadata"]["resourceVersion"]))
    assert versions == sorted(set(versions))


async def test_generation_counts_changes_of_the_spec_only(lab: Lab) -> None:
    await lab.call("POST", DEPLOYMENTS, deployment())
    kind = "application/merge-patch+json"
    labelled = await lab.call(
        "PATCH", f"{DEPLOYMENTS}/web", {"metadata": {"labels": {"x": "y"}}}, content_type=kind
    )
    assert labelled.body["metadata"]["generation"] == 1
    scaled = await lab.call(
        "PATCH", f"{DEPLOYMENTS}/web", {"spec": {"replicas": 9}}, content_type=kind
    )
    assert scaled.body["metadata"]["generation"] == 2


async def test_generate_name_makes_a_new_name_each_time(lab: Lab) -> None:
    body = {"metadata": {"generateName": "run-"}}
    names = {(await lab.call("POST", MAPS, body)).body["metadata"]["name"] for _ in range(3)}
    assert len(names) == 3
    assert all(name.startswith("run-") for name in names)


async def test_a_second_object_of_the_name_is_already_exists(lab: Lab) -> None:
    await lab.call("POST", MAPS, {"metadata": {"name": "a"}})
    refused = await lab.call("POST", MAPS, {"metadata": {"name": "a"}})
    assert (refused.code, refused.reason) == (409, "AlreadyExists")
    assert refused.message == 'configmaps "a" already exists'
    assert refused.body["details"] == {"name": "a", "kind": "configmaps"}


async def test_a_put_without_a_version_overwrites(lab: Lab) -> None:
    await lab.call("POST", MAPS, {"metadata": {"name": "a"}, "data": {"x": "1"}})
    put = await lab.call("PUT", f"{MAPS}/a", {"metadata": {"name": "a"}, "data": {"y": "2"}})
    assert (put.code, put.body["data"]) == (200, {"y": "2"})


async def test_a_put_with_a_stale_version_is_a_conflict(lab: Lab) -> None:
    made = (await lab.call("POST", MAPS, {"metadata": {"name": "a"}})).body
    await lab.call("PUT", f"{MAPS}/a", {"data": {"x": "1"}})
    refused = await lab.call("PUT", f"{MAPS}/a", made)
    assert (refused.code, refused.reason) == (409, "Conflict")
    assert "the object has been modified" in refused.message


async def test_a_put_that_changes_nothing_keeps_the_version(lab: Lab) -> None:
    made = (await lab.call("POST", MAPS, {"metadata": {"name": "a"}, "data": {"x": "1"}})).body
    put = (await lab.call("PUT", f"{MAPS}/a", made)).body
    assert put["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", f"{PODS}/no", None),
        ("PUT", f"{MAPS}/no", {}),
        ("DELETE", f"{PODS}/no", None),
        ("GET", f"{DEPLOYMENTS}/no/scale", None),
        ("POST", "/api/v1/namespaces/no/configmaps", {"metadata": {"name": "a"}}),
        ("GET", "/apis/apps/v1/namespaces/default/flowers", None),
        ("GET", "/nowhere", None),
    ],
)
async def test_what_is_not_there_is_not_found(lab: Lab, method: str, path: str, body: Any) -> None:
    answer = await lab.call(method, path, body)
    assert (answer.code, answer.reason, answer.body["kind"]) == (404, "NotFound", "Status")


async def test_not_found_names_the_object(lab: Lab) -> None:
    answer = await lab.call("GET", f"{DEPLOYMENTS}/no")
    assert answer.message == 'deployments.apps "no" not found'
    assert answer.body["details"] == {"name": "no", "group": "apps", "kind": "deployments"}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"replicas": -1}, "spec.replicas"),
        ({"selector": {"matchLabels": {"app": "other"}}}, "spec.template.metadata.labels"),
        ({"selector": None}, "spec.selector"),
        ({"template": {"metadata": {"labels": {"app": "web"}}}}, "spec.template.spec.containers"),
    ],
)
async def test_what_breaks_the_rules_of_its_type_is_invalid(
    lab: Lab, change: dict[str, Any], field: str
) -> None:
    body = deployment()
    body["spec"] |= change
    refused = await lab.call("POST", DEPLOYMENTS, body)
    assert (refused.code, refused.reason) == (422, "Invalid")
    assert field in [cause["field"] for cause in refused.body["details"]["causes"]]
    assert refused.message.startswith('Deployment.apps "web" is invalid: ')


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"metadata": {"name": "a", "namespace": "other"}}, 400),
        ({"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "a"}}, 400),
        ({"metadata": {"name": "Not A Name"}}, 422),
        ({"metadata": {}}, 422),
        ([], 400),
    ],
)
async def test_a_body_that_cannot_be_right_is_refused(lab: Lab, body: Any, code: int) -> None:
    assert (await lab.call("POST", MAPS, body)).code == code


async def test_a_body_that_is_too_large_is_413(lab: Lab) -> None:
    body = {"metadata": {"name": "a"}, "data": {"x": "y" * 4 * 1024 * 1024}}
    answer = await lab.call("POST", MAPS, body)
    assert (answer.code, answer.reason) == (413, "RequestEntityTooLarge")


@pytest.mark.parametrize(
    ("container", "cause"),
    [
        ({"image": "x"}, "FieldValueRequired"),
        ({"name": "main"}, "FieldValueDuplicate"),
        ({"volumeMounts": [{"name": "no", "mountPath": "/x"}]}, "FieldValueNotFound"),
        ({"resources": {"limits": {"memory": "lots"}}}, "FieldValueInvalid"),
        ({"resources": {"requests": {"memory": "1GB"}}}, "FieldValueInvalid"),
    ],
)
async def test_a_container_that_cannot_run_is_invalid(
    lab: Lab, container: dict[str, Any], cause: str
) -> None:
    body = pod("a")
    body["spec"]["containers"].append({"name": "side", "image": "x"} | container)
    if cause == "FieldValueRequired":
        body["spec"]["containers"][-1].pop("name")
    refused = await lab.call("POST", PODS, body)
    assert refused.code == 422
    assert cause in [one["reason"] for one in refused.body["details"]["causes"]]


async def test_a_pods_spec_is_fixed_but_for_its_image(lab: Lab) -> None:
    await lab.call("POST", PODS, pod("a"))
    kind = "application/strategic-merge-patch+json"
    image = {"spec": {"containers": [{"name": "main", "image": "server:2"}]}}
    assert (await lab.call("PATCH", f"{PODS}/a", image, content_type=kind)).code == 200
    env = {"spec": {"containers": [{"name": "main", "env": [{"name": "A", "value": "1"}]}]}}
    refused = await lab.call("PATCH", f"{PODS}/a", env, content_type=kind)
    assert (refused.code, refused.reason) == (422, "Invalid")


async def test_status_is_written_through_its_own_part_only(lab: Lab) -> None:
    await lab.call("POST", PODS, pod("a") | {"status": {"phase": "Running"}})
    assert (await lab.call("GET", f"{PODS}/a")).body["status"]["phase"] == "Pending"
    kind = "application/merge-patch+json"
    change = {"status": {"phase": "Failed"}, "spec": {"nodeName": "x"}}
    await lab.call("PATCH", f"{PODS}/a/status", change, content_type=kind)
    found = (await lab.call("GET", f"{PODS}/a")).body
    assert found["status"]["phase"] == "Failed"
    assert "nodeName" not in found["spec"]


# ---------------------------------------------------------------------------------------- dry run


async def test_dry_runs_answer_the_would_be_object_and_store_nothing(lab: Lab) -> None:
    await lab.call("POST", DEPLOYMENTS, deployment())
    stored = lab.store.get("deployments", "default", "web")
    version = lab.store.history.version
    dry = "?dryRun=All"
    scale = {"spec": {"replicas": 7}}
    kind = "application/merge-patch+json"

    made = await lab.call("POST", f"{DEPLOYMENTS}{dry}", deployment("new"))
    assert made.code == 201
    assert made.body["metadata"]["name"] == "new"
    patched = await lab.call("PATCH", f"{DEPLOYMENTS}/web{dry}", scale, content_type=kind)
    assert patched.body["spec"]["replicas"] == 7
    scaled = await lab.call("PATCH", f"{DEPLOYMENTS}/web/scale{dry}", scale, content_type=kind)
    assert scaled.body["spec"]["replicas"] == 7
    assert (await lab.call("PUT", f"{DEPLOYMENTS}/web{dry}", deployment(replicas=8))).code == 200
    assert (await lab.call("DELETE", f"{DEPLOYMENTS}/web{dry}")).code == 200

    assert lab.store.get("deployments", "default", "web") == stored
    assert lab.store.get("deployments", "default", "new") is None
    assert lab.store.history.version == version


async def test_a_dry_run_that_would_fail_fails(lab: Lab) -> None:
    refused = await lab.call("POST", f"{DEPLOYMENTS}?dryRun=All", deployment(replicas=-1))
    assert refused.code == 422
    await lab.call("POST", DEPLOYMENTS, deployment())
    again = await lab.call("POST", f"{DEPLOYMENTS}?dryRun=All", deployment())
    assert again.reason == "AlreadyExists"


async def test_only_all_is_a_dry_run(lab: Lab) -> None:
    assert (await lab.call("POST", f"{MAPS}?dryRun=true", {"metadata": {"name": "a"}})).code == 422


# ----------------------------------------------------------------------------------------- delete


async def test_a_deleted_object_without_grace_is_gone_and_a_status_tells_its_uid(lab: Lab) -> None:
    made = (await lab.call("POST", MAPS, {"metadata": {"name": "a"}})).body
    gone = await lab.call("DELETE", f"{MAPS}/a")
    assert (gone.code, gone.body["status"]) == (200, "Success")
    assert gone.body["details"]["uid"] == made["metadata"]["uid"]
    assert (await lab.call("GET", f"{MAPS}/a")).code == 404


async def test_a_pod_on_a_node_is_marked_and_stays_until_the_node_lets_it_go(lab: Lab) -> None:
    await lab.call("POST", PODS, pod("a", node="lab-1"))
    marked = await lab.call("DELETE", f"{PODS}/a?gracePeriodSeconds=7")
    assert marked.body["kind"] == "Pod"
    assert marked.body["metadata"]["deletionGracePeriodSeconds"] == 7
    assert "deletionTimestamp" in (await lab.call("GET", f"{PODS}/a")).body["metadata"]
    lab.store.delete("pods", "default", "a")
    assert (await lab.call("GET", f"{PODS}/a")).code == 404


@pytest.mark.parametrize("node", ["", "lab-1"])
async def test_a_pod_with_no_grace_goes_at_once(lab: Lab, node: str) -> None:
    await lab.call("POST", PODS, pod("a", node=node))
    query = "?gracePeriodSeconds=0" if node else ""
    await lab.call("DELETE", f"{PODS}/a{query}")
    assert lab.pods() == []


async def test_a_wrong_uid_refuses_the_deletion(lab: Lab) -> None:
    await lab.call("POST", MAPS, {"metadata": {"name": "a"}})
    refused = await lab.call("DELETE", f"{MAPS}/a", {"preconditions": {"uid": "other"}})
    assert (refused.code, refused.reason) == (409, "Conflict")
    assert lab.store.get("configmaps", "default", "a") is not None


async def test_what_an_object_owned_goes_with_it_unless_orphaned(lab: Lab) -> None:
    for orphan in (False, True):
        made = (await lab.call("POST", DEPLOYMENTS, deployment())).body
        uid = made["metadata"]["uid"]
        child = {"name": "child", "ownerReferences": [{"uid": uid, "name": "web"}]}
        spec = deployment()["spec"]
        lab.store.create("replicasets", {"metadata": child, "spec": spec})
        query = "?propagationPolicy=Orphan" if orphan else ""
        await lab.call("DELETE", f"{DEPLOYMENTS}/web{query}")
        left = lab.store.get("replicasets", "default", "child")
        assert (left is not None) is orphan


async def test_finalizers_hold_an_object_until_the_last_one_lets_go(lab: Lab) -> None:
    await lab.call("POST", MAPS, {"metadata": {"name": "a", "finalizers": ["x/y"]}})
    await lab.call("DELETE", f"{MAPS}/a")
    assert "deletionTimestamp" in (await lab.call("GET", f"{MAPS}/a")).body["metadata"]
    kind = "application/merge-patch+json"
    await lab.call("PATCH", f"{MAPS}/a", {"metadata": {"finalizers": None}}, content_type=kind)
    assert (await lab.call("GET", f"{MAPS}/a")).code == 404


async def test_a_collection_is_deleted_by_its_selector(lab: Lab) -> None:
    for name, app in (("a", "x"), ("b", "x"), ("c", "y")):
        await lab.call("POST", PODS, pod(name, app=app))
    await lab.call("DELETE", f"{PODS}?labelSelector=app%3Dx")
    assert [one["metadata"]["name"] for one in lab.pods()] == ["c"]


async def test_the_client_library_reads_and_writes(lab: Lab) -> None:
    async with lab.api() as api:
        core = kubernetes.CoreV1Api(api)
        body = {"metadata": {"name": "a"}, "data": {"x": "1"}}
        await core.create_namespaced_config_map("default", body)
        found = await core.read_namespaced_config_map("a", "default")
        assert found.data == {"x": "1"}
        with pytest.raises(kubernetes.ApiException) as refused:
            await core.read_namespaced_config_map("b", "default")
        assert refused.value.status == 404
