"""The four kinds of patch, over HTTP and as functions."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healer.lab.api.failure import ApiError
from healer.lab.api.patch import JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH, apply
from healer.lab.api.strategic import merge, plain
from tests.fakes.apiserver import Lab, deployment, kubernetes

WEB = "/apis/apps/v1/namespaces/default/deployments/web"
IMAGE = {"spec": {"template": {"spec": {"containers": [{"name": "main", "image": "server:2"}]}}}}


async def container_after(lab: Lab, content_type: str, body: Any) -> dict[str, Any]:
    """The deployment's container after a patch."""
    lab.store.create("deployments", deployment())
    answer = await lab.call("PATCH", f"{WEB}?fieldManager=test", body, content_type=content_type)
    assert answer.code == 200, answer.body
    found: dict[str, Any] = answer.body["spec"]["template"]["spec"]["containers"][0]
    return found


async def test_a_merge_patch_replaces_containers_whole_and_so_drops_resources(lab: Lab) -> None:
    found = await container_after(lab, MERGE_PATCH, IMAGE)
    assert found["image"] == "server:2"
    assert found["resources"] == {}
    assert "env" not in found


@pytest.mark.parametrize("kind", [STRATEGIC_PATCH, "application/apply-patch+yaml"])
async def test_strategic_and_apply_merge_containers_by_name(lab: Lab, kind: str) -> None:
    found = await container_after(lab, kind, IMAGE)
    assert found["image"] == "server:2"
    assert found["resources"] == {"requests": {"cpu": "10m"}}
    assert found["env"] == [{"name": "A", "value": "1"}]


async def test_a_json_patch_goes_by_place(lab: Lab) -> None:
    path = "/spec/template/spec/containers/0/image"
    operations = [
        {"op": "test", "path": path, "value": "server:1"},
        {"op": "replace", "path": path, "value": "server:2"},
    ]
    assert (await container_after(lab, JSON_PATCH, operations))["image"] == "server:2"


async def test_a_failed_test_of_a_json_patch_changes_nothing(lab: Lab) -> None:
    lab.store.create("deployments", deployment())
    operations = [
        {"op": "replace", "path": "/spec/replicas", "value": 9},
        {"op": "test", "path": "/metadata/name", "value": "other"},
    ]
    refused = await lab.call("PATCH", WEB, operations, content_type=JSON_PATCH)
    assert (refused.code, refused.reason) == (422, "Invalid")
    found = lab.store.get("deployments", "default", "web") or {}
    assert found["spec"]["replicas"] == 3


@pytest.mark.parametrize("part", ["", "/scale"])
async def test_plain_json_is_no_patch(lab: Lab, part: str) -> None:
    lab.store.create("deployments", deployment())
    refused = await lab.call("PATCH", f"{WEB}{part}", IMAGE, content_type="application/json")
    assert (refused.code, refused.reason) == (415, "UnsupportedMediaType")


async def test_the_client_picks_strategic_for_a_dict_and_json_patch_for_a_list(lab: Lab) -> None:
    lab.store.create("deployments", deployment())
    async with lab.api() as api:
        apps = kubernetes.AppsV1Api(api)
        found = await apps.patch_namespaced_deployment("web", "default", IMAGE)
        assert found.spec.template.spec.containers[0].resources.requests == {"cpu": "10m"}
        operations = [{"op": "replace", "path": "/spec/replicas", "value": 9}]
        found = await apps.patch_namespaced_deployment("web", "default", operations)
        assert found.spec.replicas == 9


async def test_a_stale_version_inside_a_patch_is_a_conflict(lab: Lab) -> None:
    lab.store.create("deployments", deployment())
    body = {"metadata": {"resourceVersion": "1"}, "spec": {"replicas": 9}}
    refused = await lab.call("PATCH", WEB, body, content_type=MERGE_PATCH)
    assert (refused.code, refused.reason) == (409, "Conflict")


async def test_apply_creates_what_is_missing_and_wants_a_manager(lab: Lab) -> None:
    kind = "application/apply-patch+yaml"
    assert (await lab.call("PATCH", WEB, deployment(), content_type=kind)).code == 422
    made = await lab.call("PATCH", f"{WEB}?fieldManager=me", deployment(), content_type=kind)
    assert made.code == 201
    assert lab.store.get("deployments", "default", "web") is not None


async def test_an_invalid_outcome_of_a_patch_is_refused(lab: Lab) -> None:
    lab.store.create("deployments", deployment())
    body = {"spec": {"replicas": -1}}
    refused = await lab.call("PATCH", WEB, body, content_type=MERGE_PATCH)
    assert (refused.code, refused.reason) == (422, "Invalid")


# ----------------------------------------------------------------------------- strategic, by itself


def test_items_are_merged_added_and_deleted_by_their_key() -> None:
    current = {"env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]}
    patch = {
        "env": [
            {"name": "A", "value": "9"},
            {"name": "B", "$patch": "delete"},
            {"name": "C", "value": "3"},
        ]
    }
    assert merge(current, patch) == {
        "env": [{"name": "A", "value": "9"}, {"name": "C", "value": "3"}]
    }


def test_ports_of_containers_and_of_services_have_different_keys() -> None:
    container = {"ports": [{"containerPort": 80, "name": "http"}]}
    assert merge(container, {"ports": [{"containerPort": 80, "name": "web"}]}) == {
        "ports": [{"containerPort": 80, "name": "web"}]
    }
    service = {"ports": [{"port": 80, "targetPort": 1}]}
    assert merge(service, {"ports": [{"port": 81}]}) == {
        "ports": [{"port": 80, "targetPort": 1}, {"port": 81}]
    }


def test_directives_replace_delete_retain_and_order() -> None:
    current = {
        "volumes": [{"name": "a"}, {"name": "b"}],
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}},
        "labels": {"x": "1"},
        "args": ["1"],
        "finalizers": ["f", "g"],
    }
    patch = {
        "volumes": [{"name": "b"}, {"name": "c"}],
        "$setElementOrder/volumes": [{"name": "c"}, {"name": "b"}, {"name": "a"}],
        "strategy": {"$retainKeys": ["type"], "type": "Recreate"},
        "labels": {"$patch": "replace", "y": "2"},
        "args": ["2"],
        "$deleteFromPrimitiveList/finalizers": ["f"],
    }
    found = merge(current, patch)
    assert [one["name"] for one in found["volumes"]] == ["c", "b", "a"]
    assert found["strategy"] == {"type": "Recreate"}
    assert found["labels"] == {"y": "2"}
    assert found["args"] == ["2"]
    assert found["finalizers"] == ["g"]
    assert merge(current, {"labels": {"$patch": "delete"}}).get("labels") is None


def test_an_item_without_its_key_is_refused() -> None:
    with pytest.raises(ApiError, match="merge key: name"):
        merge({"env": [{"name": "A"}]}, {"env": [{"name": "B"}, {"value": "1"}]})


values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text("ab", max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", min_size=1), inner),
    max_leaves=8,
)
documents = st.dictionaries(st.text("abc", min_size=1, max_size=2), values, max_size=4)


@given(documents, documents)
def test_patches_are_idempotent_and_leave_the_original_alone(
    current: dict[str, Any], patch: dict[str, Any]
) -> None:
    before = repr(current)
    for function in (merge, plain):
        once = function(current, patch)
        assert function(once, patch) == once
    assert repr(current) == before


@given(documents)
def test_an_empty_patch_changes_nothing(current: dict[str, Any]) -> None:
    assert merge(current, {}) == plain(current, {}) == current


@given(documents, st.text("abc~/", min_size=1, max_size=3), values)
def test_a_json_patch_adds_and_takes_back(current: dict[str, Any], key: str, value: Any) -> None:
    path = "/" + key.replace("~", "~0").replace("/", "~1")
    there = key in current
    added = apply(JSON_PATCH, current, [{"op": "add", "path": path, "value": value}])
    assert added == {**current, key: value}
    if not there:
        assert apply(JSON_PATCH, added, [{"op": "remove", "path": path}]) == current


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        ({"op": "add", "path": "/list/1", "value": 9}, {"list": [1, 9, 2], "map": {"k": 1}}),
        ({"op": "add", "path": "/list/-", "value": 9}, {"list": [1, 2, 9], "map": {"k": 1}}),
        ({"op": "remove", "path": "/list/0"}, {"list": [2], "map": {"k": 1}}),
        ({"op": "move", "from": "/map/k", "path": "/x"}, {"list": [1, 2], "map": {}, "x": 1}),
        (
            {"op": "copy", "from": "/map", "path": "/x"},
            {"list": [1, 2], "map": {"k": 1}, "x": {"k": 1}},
        ),
        ({"op": "replace", "path": "", "value": {"y": 1}}, {"y": 1}),
    ],
)
def test_each_operation_of_a_json_patch(
    operation: dict[str, Any], expected: dict[str, Any]
) -> None:
    current = {"list": [1, 2], "map": {"k": 1}}
    assert apply(JSON_PATCH, current, [operation]) == expected
    assert current == {"list": [1, 2], "map": {"k": 1}}


@pytest.mark.parametrize(
    ("operation", "code"),
    [
        ({"op": "replace", "path": "/no", "value": 1}, 422),
        ({"op": "remove", "path": "/list/7"}, 422),
        ({"op": "add", "path": "/list/x", "value": 1}, 422),
        ({"op": "add", "path": "/list/7", "value": 1}, 422),
        ({"op": "add", "path": "/map/k/deeper", "value": 1}, 422),
        ({"op": "add", "path": "list", "value": 1}, 422),
        ({"op": "add", "path": "/x"}, 422),
        ({"op": "replace", "path": "", "value": 1}, 400),
        ({"op": "explode", "path": "/list"}, 400),
        ({"path": 1}, 400),
        ("nothing", 400),
    ],
)
def test_an_operation_that_does_not_apply_is_refused(operation: Any, code: int) -> None:
    with pytest.raises(ApiError) as refused:
        apply(JSON_PATCH, {"list": [1], "map": {"k": 1}}, [operation])
    assert refused.value.code == code


@pytest.mark.parametrize("kind", [JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH])
def test_a_patch_of_the_wrong_shape_is_refused(kind: str) -> None:
    with pytest.raises(ApiError) as refused:
        apply(kind, {}, "text")
    assert refused.value.code == 400
