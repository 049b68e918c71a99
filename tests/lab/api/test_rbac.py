"""Who may do what: tokens, roles, bindings, and the question whether one may."""

from typing import Any

import pytest

from tests.fakes.apiserver import ADMIN, JANE, ROBOT, Lab, deployment, pod

PODS = "/api/v1/namespaces/default/pods"


def grant(
    lab: Lab, rules: list[dict[str, Any]], subject: dict[str, Any], *, everywhere: bool = False
) -> None:
    """Bind a role with these rules to a subject."""
    meta = {"name": "granted"} | ({} if everywhere else {"namespace": "default"})
    kind = "ClusterRole" if everywhere else "Role"
    prefix = "cluster" if everywhere else ""
    lab.store.create(f"{prefix}roles", {"metadata": meta, "rules": rules})
    ref = {"kind": kind, "name": "granted"}
    body = {"metadata": meta, "subjects": [subject], "roleRef": ref}
    lab.store.create(f"{prefix}rolebindings", body)


def rule(resource: str, *verbs: str, group: str = "", names: list[str] | None = None) -> Any:
    """One rule."""
    found = {"apiGroups": [group], "resources": [resource], "verbs": list(verbs)}
    return found | ({"resourceNames": names} if names else {})


JANE_HERSELF = {"kind": "User", "name": "jane"}
READERS = {"kind": "Group", "name": "readers"}
THE_ROBOT = {"kind": "ServiceAccount", "name": "robot", "namespace": "default"}


async def test_a_token_nobody_knows_is_401(lab: Lab) -> None:
    answer = await lab.call("GET", PODS, token="wrong")
    assert (answer.code, answer.reason) == (401, "Unauthorized")


async def test_nobody_may_do_nothing_but_ask_for_the_version(lab: Lab) -> None:
    answer = await lab.call("GET", PODS, token="")
    assert (answer.code, answer.reason) == (403, "Forbidden")
    assert "system:anonymous" in answer.message
    assert (await lab.call("GET", "/version", token="")).code == 200


@pytest.mark.parametrize("path", [f"{PODS}/no", "/apis/nothing/v1/flowers", "/nowhere"])
async def test_403_comes_before_404(lab: Lab, path: str) -> None:
    assert (await lab.call("GET", path, token=JANE)).code == 403
    assert (await lab.call("GET", path, token=ADMIN)).code == 404


async def test_a_refusal_says_who_what_and_where(lab: Lab) -> None:
    path = "/apis/apps/v1/namespaces/default/deployments/web"
    answer = await lab.call("DELETE", path, token=JANE)
    assert answer.message == (
        'deployments.apps "web" is forbidden: User "jane" cannot delete resource "deployments" '
        'in API group "apps" in the namespace "default"'
    )
    assert answer.body["details"] == {"name": "web", "group": "apps", "kind": "deployments"}


@pytest.mark.parametrize(
    ("subject", "token"), [(JANE_HERSELF, JANE), (READERS, JANE), (THE_ROBOT, ROBOT)]
)
async def test_a_role_gives_what_it_says_in_its_namespace_only(
    lab: Lab, subject: dict[str, Any], token: str
) -> None:
    grant(lab, [rule("pods", "get", "list")], subject)
    lab.store.create("pods", pod("a"))
    assert (await lab.call("GET", f"{PODS}/a", token=token)).code == 200
    assert (await lab.call("GET", PODS, token=token)).code == 200
    assert (await lab.call("GET", f"{PODS}?watch=1", token=token)).code == 403
    assert (await lab.call("DELETE", f"{PODS}/a", token=token)).code == 403
    assert (await lab.call("GET", "/api/v1/pods", token=token)).code == 403


async def test_a_cluster_role_bound_in_the_cluster_holds_everywhere(lab: Lab) -> None:
    grant(lab, [rule("pods", "list")], JANE_HERSELF, everywhere=True)
    assert (await lab.call("GET", "/api/v1/pods", token=JANE)).code == 200
    assert (await lab.call("GET", PODS, token=JANE)).code == 200


async def test_resource_names_narrow_to_these_objects(lab: Lab) -> None:
    lab.store.create("pods", pod("a"))
    lab.store.create("pods", pod("b"))
    grant(lab, [rule("pods", "get", "list", names=["a"])], JANE_HERSELF)
    assert (await lab.call("GET", f"{PODS}/a", token=JANE)).code == 200
    assert (await lab.call("GET", f"{PODS}/b", token=JANE)).code == 403
    assert (await lab.call("GET", PODS, token=JANE)).code == 403
    query = "fieldSelector=metadata.name%3Da"
    assert (await lab.call("GET", f"{PODS}?{query}", token=JANE)).code == 200


async def test_a_part_needs_a_rule_of_its_own(lab: Lab) -> None:
    lab.store.create("deployments", deployment())
    path = "/apis/apps/v1/namespaces/default/deployments/web"
    grant(lab, [rule("deployments", "get", group="apps")], JANE_HERSELF)
    assert (await lab.call("GET", path, token=JANE)).code == 200
    answer = await lab.call("GET", f"{path}/scale", token=JANE)
    assert answer.code == 403
    assert 'resource "deployments/scale"' in answer.message


@pytest.mark.parametrize(
    ("attributes", "allowed"),
    [
        ({"verb": "get", "resource": "pods", "namespace": "default"}, True),
        ({"verb": "delete", "resource": "pods", "namespace": "default"}, False),
        ({"verb": "get", "resource": "pods", "namespace": "other"}, False),
        ({"verb": "get", "resource": "pods", "subresource": "log", "namespace": "default"}, False),
    ],
)
async def test_whether_one_may_is_answered_by_the_same_rules(
    lab: Lab, attributes: dict[str, Any], *, allowed: bool
) -> None:
    grant(lab, [rule("pods", "get")], JANE_HERSELF)
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    body = {"spec": {"resourceAttributes": attributes}}
    answer = await lab.call("POST", path, body, token=JANE)
    assert (answer.code, answer.body["status"]["allowed"]) == (201, allowed)
    admin = await lab.call("POST", path, body)
    assert admin.body["status"]["allowed"] is True


@pytest.mark.parametrize(("path", "allowed"), [("/version", True), ("/metrics", False)])
async def test_paths_that_are_no_resources_can_be_asked_about(
    lab: Lab, path: str, *, allowed: bool
) -> None:
    where = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    body = {"spec": {"nonResourceAttributes": {"path": path, "verb": "get"}}}
    answer = await lab.call("POST", where, body, token=JANE)
    assert answer.body["status"]["allowed"] is allowed
    assert (await lab.call("POST", where, {"spec": {}}, token=JANE)).code == 422
