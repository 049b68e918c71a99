"""kubernetes.set-env against the lab's API server."""

import pytest
from pydantic import ValidationError

from healer.action.kubernetes.environment import SetEnv, SetEnvParams
from healer.errors import PermanentError
from healer.lab.contract import Object
from healer.model.outcome import Result
from tests.fakes.lab import Lab, recorded, step


def wish(value: str | None = "1", name: str = "MODE") -> SetEnvParams:
    return SetEnvParams(name=name, value=value)


def env(lab: Lab) -> list[Object]:
    container = lab.get("deployments", "api")["spec"]["template"]["spec"]["containers"][0]
    found: list[Object] = container.get("env", [])
    return found


def given(lab: Lab, *variables: Object) -> None:
    def change(deployment: Object) -> None:
        deployment["spec"]["template"]["spec"]["containers"][0]["env"] = list(variables)

    lab.change("deployments", "api", change)


OTHER: Object = {"name": "OTHER", "value": "stays"}


@pytest.mark.parametrize(
    "before", [[OTHER], [OTHER, {"name": "MODE", "value": "0"}], [{"name": "MODE", "value": "0"}]]
)
async def test_one_variable_changes_and_undo_brings_back_what_was(
    lab: Lab, before: list[Object]
) -> None:
    given(lab, *before)
    action = SetEnv(lab.admin)
    params = recorded(await action.prepare(wish(), step()))

    outcome = await action.run(params, step())
    after = {one["name"]: one["value"] for one in env(lab)}
    undo = action.undo(params, outcome)
    assert undo
    assert isinstance(undo.params, SetEnvParams)
    await action.run(recorded(undo.params), step(key="i-1.1.undo-step"))

    assert outcome.result is Result.SUCCEEDED
    assert after == {**{one["name"]: one["value"] for one in before}, "MODE": "1"}
    names = {one["name"]: one["value"] for one in env(lab)}
    assert names == {one["name"]: one["value"] for one in before}


async def test_a_variable_is_removed_by_null(lab: Lab) -> None:
    given(lab, OTHER, {"name": "MODE", "value": "0"})
    action = SetEnv(lab.admin)

    await action.run(recorded(await action.prepare(wish(None), step())), step())

    assert env(lab) == [OTHER]


async def test_what_comes_from_a_secret_is_not_replaced(lab: Lab) -> None:
    source = {"secretKeyRef": {"name": "keys", "key": "a"}}
    given(lab, {"name": "MODE", "valueFrom": source})

    with pytest.raises(PermanentError, match="filled from elsewhere"):
        await SetEnv(lab.admin).prepare(wish(), step())


async def test_a_dry_run_changes_nothing(lab: Lab) -> None:
    before = lab.versions
    action = SetEnv(lab.admin)
    params = await action.prepare(wish(), step(dry_run=True))

    outcome = await action.run(params, step(dry_run=True))

    assert outcome.result is Result.SKIPPED
    assert lab.versions == before
    assert action.undo(params, outcome) is None


@pytest.mark.parametrize(
    ("found", "settled"), [("1", Result.SUCCEEDED), ("0", Result.FAILED), ("2", None)]
)
async def test_after_a_crash_the_variable_tells_what_came_of_it(
    lab: Lab, found: str, settled: Result | None
) -> None:
    given(lab, {"name": "MODE", "value": "0"})
    action = SetEnv(lab.admin)
    params = recorded(await action.prepare(wish(), step()))
    given(lab, {"name": "MODE", "value": found})

    outcome = await action.settle(params, step())

    assert (outcome.result if outcome else None) is settled


async def test_a_container_that_is_not_there_is_named(lab: Lab) -> None:
    params = SetEnvParams(name="MODE", value="1", container="sidecar")

    with pytest.raises(PermanentError, match="no container sidecar"):
        await SetEnv(lab.admin).prepare(params, step())


@pytest.mark.parametrize("name", ["", "1A", "A B", "A=B"])
def test_a_name_that_is_none_is_refused_at_once(name: str) -> None:
    with pytest.raises(ValidationError):
        wish(name=name)
