"""The environment and arguments of a container."""

from typing import Any

import pytest

from healer.lab.contract import Object
from healer.lab.node.environment import UnresolvedError, environment, expand

POD: Object = {
    "metadata": {"name": "web-1", "namespace": "test", "labels": {"app.kubernetes.io/name": "web"}},
    "status": {"podIP": "127.3.2.1"},
}
OBJECTS: dict[tuple[str, str], Object] = {
    ("configmaps", "settings"): {"data": {"COLOUR": "red", "SIZE": "3"}},
    ("secrets", "keys"): {"data": {"key": "czNjcmV0"}},
}


def look(resource: str, name: str) -> Object | None:
    return OBJECTS.get((resource, name))


def made(*env: Object, env_from: list[Object] | None = None) -> dict[str, str]:
    return environment({"env": list(env), "envFrom": env_from or []}, POD, look)


def ref(**source: Any) -> Object:
    return {"name": "X", "valueFrom": source}


@pytest.mark.parametrize(
    ("written", "expanded"),
    [
        ("--host=$(IP)", "--host=127.3.2.1"),
        ("$(UNKNOWN)", "$(UNKNOWN)"),
        ("$$(IP)", "$(IP)"),
        ("$IP ${IP}", "$IP ${IP}"),
        ("$$$$", "$$"),
        ("$(IP", "$(IP"),
    ],
)
def test_references_are_expanded_as_kubernetes_does(written: str, expanded: str) -> None:
    assert expand(written, {"IP": "127.3.2.1"}) == expanded


def test_a_value_may_use_those_before_it_but_not_those_after() -> None:
    found = made(
        {"name": "B", "value": "$(A)$(C)"},
        {"name": "A", "value": "a"},
        {"name": "D", "value": "$(A)"},
    )
    assert found == {"B": "$(A)$(C)", "A": "a", "D": "a"}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("status.podIP", "127.3.2.1"),
        ("metadata.name", "web-1"),
        ("metadata.namespace", "test"),
        ("metadata.labels['app.kubernetes.io/name']", "web"),
    ],
)
def test_fields_of_the_pod_can_be_asked_for(path: str, value: str) -> None:
    assert made(ref(fieldRef={"fieldPath": path})) == {"X": value}


def test_config_maps_and_secrets_give_single_keys_and_all_keys() -> None:
    assert made(ref(configMapKeyRef={"name": "settings", "key": "COLOUR"})) == {"X": "red"}
    assert made(ref(secretKeyRef={"name": "keys", "key": "key"})) == {"X": "s3cret"}
    imported = made(env_from=[{"configMapRef": {"name": "settings"}, "prefix": "S_"}])
    assert imported == {"S_COLOUR": "red", "S_SIZE": "3"}


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ({"configMapKeyRef": {"name": "none", "key": "a"}}, 'configmap "none" not found'),
        ({"secretKeyRef": {"name": "keys", "key": "none"}}, "couldn't find key none"),
        ({"fieldRef": {"fieldPath": "spec.none"}}, "no field spec.none"),
        ({"resourceFieldRef": {"resource": "limits.cpu"}}, "knows no environment from resource"),
    ],
)
def test_what_is_not_there_is_named(source: Object, complaint: str) -> None:
    with pytest.raises(UnresolvedError, match=complaint):
        made(ref(**source))


def test_what_is_optional_may_be_absent() -> None:
    assert made(ref(configMapKeyRef={"name": "none", "key": "a", "optional": True})) == {}
    assert made(env_from=[{"secretRef": {"name": "none", "optional": True}}]) == {}
