"""In the lab healer may do what is shipped for it, and nothing else."""

from pathlib import Path

import pytest
import yaml

from healer.lab.access import ADMIN, HEALER, SHIPPED, grants
from healer.lab.api.rbac import Authorizer
from healer.lab.api.store import Store
from healer.lab.api.target import Target

ALLOWED = ("get", "", "pods", "proxy"), ("get", "apps", "deployments", "")
REFUSED = (
    ("delete", "apps", "deployments", ""),
    ("get", "", "secrets", ""),
    ("list", "", "services", ""),
    ("create", "rbac.authorization.k8s.io", "rolebindings", ""),
)


def _authorizer(namespace: str, shipped: Path = SHIPPED) -> Authorizer:
    store = Store()
    store.create("namespaces", {"metadata": {"name": namespace}})
    for plural, obj in grants(namespace, shipped=shipped):
        store.create(plural, obj)
    return Authorizer(store=store)


def _target(what: tuple[str, str, str, str], namespace: str = "production") -> Target:
    verb, group, plural, part = what
    return Target(
        verb=verb, path="", group=group, namespace=namespace, plural=plural, name="x", part=part
    )


@pytest.mark.parametrize("what", ALLOWED, ids=" ".join)
def test_it_may_do_what_is_shipped_in_the_namespace_of_its_service(
    what: tuple[str, str, str, str],
) -> None:
    authorizer = _authorizer("production")
    assert authorizer.allows(HEALER, _target(what))
    assert not authorizer.allows(HEALER, _target(what, "elsewhere"))
    assert authorizer.allows(ADMIN, _target(what, "elsewhere"))


@pytest.mark.parametrize("what", REFUSED, ids=" ".join)
def test_it_may_do_nothing_else(what: tuple[str, str, str, str]) -> None:
    assert not _authorizer("production").allows(HEALER, _target(what))


def test_a_right_that_is_not_shipped_is_not_there(tmp_path: Path) -> None:
    documents = list(yaml.safe_load_all(SHIPPED.read_text()))
    for one in documents:
        if one["kind"] == "Role":
            one["rules"] = [rule for rule in one["rules"] if "pods/proxy" not in rule["resources"]]
    path = tmp_path / "rbac.yaml"
    path.write_text(yaml.safe_dump_all(documents))
    proxy, deployments = (_target(what) for what in ALLOWED)
    assert not _authorizer("production", path).allows(HEALER, proxy)
    assert _authorizer("production", path).allows(HEALER, deployments)
