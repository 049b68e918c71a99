"""get, list, selectors, pages, tables and discovery."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healer.lab.api.failure import ApiError
from healer.lab.api.selector import match_labels, match_map, parse_fields, parse_labels
from tests.fakes.apiserver import JANE, Lab, deployment, pod

PODS = "/api/v1/namespaces/default/pods"


def names(body: dict[str, Any]) -> list[str]:
    """The names of a list."""
    return [one["metadata"]["name"] for one in body["items"]]


@pytest.fixture
async def three(lab: Lab) -> Lab:
    """Three pods of two apps, one in another namespace."""
    lab.store.create("namespaces", {"metadata": {"name": "other"}})
    lab.store.create("pods", pod("a", app="x", tier="1"))
    lab.store.create("pods", pod("b", node="lab-1", app="y"))
    third = pod("c", app="x")
    third["metadata"]["namespace"] = "other"
    lab.store.create("pods", third)
    return lab


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["a", "b", "c"]),
        ("labelSelector=app%3Dx", ["a", "c"]),
        ("labelSelector=app%3D%3Dx,tier", ["a"]),
        ("labelSelector=app%20in%20(x,y),!tier", ["b", "c"]),
        ("labelSelector=app%20notin%20(x)", ["b"]),
        ("labelSelector=app!%3Dx", ["b"]),
        ("labelSelector=tier%3E0", ["a"]),
        ("fieldSelector=metadata.namespace%3Dother", ["c"]),
        ("fieldSelector=spec.nodeName%3Dlab-1", ["b"]),
        ("fieldSelector=status.phase%3DPending,metadata.name!%3Da", ["b", "c"]),
        ("fieldSelector=spec.nodeName%3D", ["a", "c"]),
    ],
)
async def test_lists_are_narrowed_by_selectors(three: Lab, query: str, found: list[str]) -> None:
    answer = await three.call("GET", f"/api/v1/pods?{query}")
    assert names(answer.body) == found
    assert answer.body["kind"] == "PodList"


@pytest.mark.parametrize(
    "query", ["labelSelector=a%20b", "fieldSelector=spec.image%3Dx", "limit=many"]
)
async def test_a_query_that_cannot_be_read_is_a_bad_request(lab: Lab, query: str) -> None:
    answer = await lab.call("GET", f"{PODS}?{query}")
    assert (answer.code, answer.reason) == (400, "BadRequest")


async def test_a_namespaced_list_stays_in_its_namespace(three: Lab) -> None:
    assert names((await three.call("GET", PODS)).body) == ["a", "b"]


async def test_events_are_found_by_the_object_they_are_about(three: Lab) -> None:
    for name in ("a", "b"):
        about = three.store.get("pods", "default", name) or {}
        for _ in range(2):
            three.store.record(about, kind="Warning", reason="Sick", message="it coughs")
    query = "fieldSelector=involvedObject.name%3Da,involvedObject.kind%3DPod,type%3DWarning"
    found = (await three.call("GET", f"/api/v1/events?{query}")).body["items"]
    assert [(one["involvedObject"]["name"], one["count"]) for one in found] == [("a", 2)]


async def test_pages_follow_each_other_until_all_is_told(lab: Lab) -> None:
    for name in "abcde":
        lab.store.create("pods", pod(name))
    seen: list[str] = []
    token, pages = "", 0
    while True:
        body = (await lab.call("GET", f"{PODS}?limit=2&continue={token}")).body
        seen += names(body)
        pages += 1
        token = body["metadata"].get("continue", "")
        if pages == 1:
            assert body["metadata"]["remainingItemCount"] == 3
        if not token:
            break
    assert (seen, pages) == (list("abcde"), 3)


async def test_a_page_token_from_before_the_history_is_expired(lab: Lab) -> None:
    for name in "ab":
        lab.store.create("pods", pod(name))
    token = (await lab.call("GET", f"{PODS}?limit=1")).body["metadata"]["continue"]
    lab.store.create("pods", pod("c"))
    lab.store.history.forget()
    answer = await lab.call("GET", f"{PODS}?limit=1&continue={token}")
    assert (answer.code, answer.reason) == (410, "Expired")


async def test_a_list_at_a_future_version_is_504(lab: Lab) -> None:
    answer = await lab.call("GET", f"{PODS}?resourceVersion=999999")
    assert (answer.code, answer.reason) == (504, "Timeout")
    assert answer.body["details"]["causes"][0]["reason"] == "ResourceVersionTooLarge"


async def test_people_get_tables(three: Lab) -> None:
    accept = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
    body = (await three.call("GET", PODS, accept=accept)).body
    assert body["kind"] == "Table"
    titles = [one["name"] for one in body["columnDefinitions"]]
    assert titles == ["Name", "Ready", "Status", "Restarts", "Age"]
    assert body["rows"][0]["cells"][:4] == ["a", "0/1", "Pending", "0"]
    assert body["rows"][0]["object"]["kind"] == "PartialObjectMetadata"
    three.store.create("deployments", deployment())
    path = "/apis/apps/v1/namespaces/default/deployments/web"
    cells = (await three.call("GET", path, accept=accept)).body["rows"][0]["cells"]
    assert cells[:4] == ["web", "0/3", 0, 0]


async def test_every_resource_can_be_listed_as_a_table(lab: Lab) -> None:
    accept = "application/json;as=Table;v=v1;g=meta.k8s.io"
    lists: list[str] = []
    core = (await lab.call("GET", "/api/v1")).body
    lists += [f"/api/v1/{one['name']}" for one in core["resources"] if "list" in one["verbs"]]
    for group in (await lab.call("GET", "/apis")).body["groups"]:
        version = group["preferredVersion"]["groupVersion"]
        found = (await lab.call("GET", f"/apis/{version}")).body["resources"]
        lists += [f"/apis/{version}/{one['name']}" for one in found if "list" in one["verbs"]]
    assert len(lists) == 23
    for path in lists:
        answer = await lab.call("GET", path, accept=accept)
        assert (answer.code, answer.body["kind"]) == (200, "Table"), path


async def test_discovery_tells_of_parts_with_a_group_of_their_own(lab: Lab) -> None:
    found = (await lab.call("GET", "/api/v1", token=JANE)).body["resources"]
    eviction = next(one for one in found if one["name"] == "pods/eviction")
    assert (eviction["group"], eviction["version"], eviction["kind"]) == (
        "policy",
        "v1",
        "Eviction",
    )
    assert (await lab.call("GET", "/version", token="")).body["minor"] == "36"


# ------------------------------------------------------------------------- selectors, by themselves

words = st.text("abc", min_size=1, max_size=2)
labelled = st.dictionaries(words, words, max_size=3)


@given(labelled, labelled)
def test_an_equality_selector_and_match_labels_agree(
    wanted: dict[str, str], labels: dict[str, str]
) -> None:
    text = ",".join(f"{key}={value}" for key, value in wanted.items())
    expected = wanted.items() <= labels.items()
    assert parse_labels(text)(labels) is expected
    assert match_labels({"matchLabels": wanted})(labels) is expected


@given(words, st.sets(words, min_size=1, max_size=3), labelled)
def test_notin_is_the_opposite_of_in(key: str, among: set[str], labels: dict[str, str]) -> None:
    listed = ",".join(among)
    inside = parse_labels(f"{key} in ({listed})")(labels)
    assert parse_labels(f"{key} notin ({listed})")(labels) is not inside
    for operator, expected in (("In", inside), ("NotIn", not inside)):
        one = {"key": key, "operator": operator, "values": list(among)}
        assert match_labels({"matchExpressions": [one]})(labels) is expected


def test_no_selector_chooses_nothing_and_an_empty_one_everything() -> None:
    assert match_labels(None)({"a": "b"}) is False
    assert match_labels({})({"a": "b"}) is True
    assert match_map({})({"a": "b"}) is False


def test_unknown_fields_are_refused_by_name() -> None:
    with pytest.raises(ApiError, match=r"field label not supported: spec\.foo"):
        parse_fields("pods", "spec.foo=1")
