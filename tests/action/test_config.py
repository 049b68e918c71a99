"""kubernetes.configmap-patch against the lab's API server."""

import pytest
from pydantic import ValidationError

from healer.action.kubernetes.config import ConfigMapPatch, ConfigMapPatchParams
from healer.errors import PermanentError, RejectedError
from healer.model.outcome import Result
from tests.fakes.lab import Lab, recorded, step


@pytest.fixture
def config(lab: Lab) -> Lab:
    lab.create("configmaps", "api-config", data={"maxNumSeqs": "256", "other": "stays"})
    return lab


def wish(value: object, key: str = "maxNumSeqs") -> ConfigMapPatchParams:
    return ConfigMapPatchParams.model_validate({"name": "api-config", "key": key, "value": value})


def data(lab: Lab) -> dict[str, str]:
    found: dict[str, str] = lab.get("configmaps", "api-config")["data"]
    return found


@pytest.mark.parametrize(("value", "text"), [("128", "128"), (128, "128"), (True, "true")])
async def test_one_key_changes_and_the_others_stay(config: Lab, value: object, text: str) -> None:
    patch = ConfigMapPatch(config.admin)
    params = recorded(await patch.prepare(wish(value), step()))

    outcome = await patch.run(params, step())

    assert outcome.summary == f"set maxNumSeqs of configmap api-config from 256 to {text}"
    assert data(config) == {"maxNumSeqs": text, "other": "stays"}


@pytest.mark.parametrize("key", ["maxNumSeqs", "newKey"])
async def test_undo_brings_back_what_was_even_if_that_was_nothing(config: Lab, key: str) -> None:
    before = data(config)
    patch = ConfigMapPatch(config.admin)
    params = await patch.prepare(wish("128", key), step())
    undo = patch.undo(recorded(params), await patch.run(params, step()))
    assert undo
    assert isinstance(undo.params, ConfigMapPatchParams)

    await patch.run(recorded(undo.params), step())

    assert data(config) == before


async def test_a_dry_run_changes_nothing(config: Lab) -> None:
    before = config.versions
    patch = ConfigMapPatch(config.admin)
    params = await patch.prepare(wish("128"), step(dry_run=True))

    outcome = await patch.run(params, step(dry_run=True))

    assert outcome.result is Result.SKIPPED
    assert config.versions == before
    assert patch.undo(params, outcome) is None


@pytest.mark.parametrize(
    ("found", "settled"), [("128", Result.SUCCEEDED), ("256", Result.FAILED), ("64", None)]
)
async def test_after_a_crash_the_value_tells_what_came_of_it(
    config: Lab, found: str, settled: Result | None
) -> None:
    patch = ConfigMapPatch(config.admin)
    params = recorded(await patch.prepare(wish("128"), step()))
    config.change("configmaps", "api-config", lambda one: one["data"].update(maxNumSeqs=found))

    outcome = await patch.settle(params, step())

    assert (outcome.result if outcome else None) is settled


async def test_an_immutable_configmap_is_refused_before_anything_is_done(lab: Lab) -> None:
    lab.create("configmaps", "api-config", data={"a": "1"}, immutable=True)

    with pytest.raises(PermanentError, match="immutable"):
        await ConfigMapPatch(lab.admin).prepare(wish("128"), step())


async def test_a_value_too_long_to_be_remembered_is_not_overwritten(lab: Lab) -> None:
    lab.create("configmaps", "api-config", data={"maxNumSeqs": "x" * 70_000})

    with pytest.raises(PermanentError, match="too long"):
        await ConfigMapPatch(lab.admin).prepare(wish("128"), step())


async def test_a_configmap_that_is_not_there_is_named(lab: Lab) -> None:
    with pytest.raises(RejectedError, match="get configmap production/api-config") as caught:
        await ConfigMapPatch(lab.admin).prepare(wish("128"), step())

    assert caught.value.reason == "NotFound"


@pytest.mark.parametrize(
    "params",
    [
        {"name": "api-config", "key": "a/b", "value": "1"},
        {"name": "Api_Config", "key": "a", "value": "1"},
        {"name": "api-config", "key": "a", "value": ["1"]},
        {"name": "api-config", "key": "a"},
    ],
)
def test_what_kubernetes_would_refuse_is_refused_at_once(params: object) -> None:
    with pytest.raises(ValidationError):
        ConfigMapPatchParams.model_validate(params)
