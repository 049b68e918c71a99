"""Every action runs with exactly the rights that it asks for, undo and settling included."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import BaseModel

from healer.action.contract import Action
from healer.action.kubernetes.config import ConfigMapPatch, ConfigMapPatchParams
from healer.action.kubernetes.environment import SetEnv, SetEnvParams
from healer.action.kubernetes.exec import Exec, ExecParams
from healer.action.kubernetes.expand import PvcExpand, PvcExpandParams
from healer.action.kubernetes.removal import DeletePod, Evict, RemovalParams
from healer.action.kubernetes.restart import RestartParams, RolloutRestart
from healer.action.kubernetes.rollback import RolloutUndo, RolloutUndoParams
from healer.action.kubernetes.rollout import RolloutStatus, RolloutStatusParams
from healer.action.kubernetes.scale import Scale, ScaleParams
from healer.client.kubernetes.cluster import Kubernetes
from healer.errors import RejectedError
from healer.lab.contract import Object
from healer.model.effect import Permission
from healer.model.outcome import Result
from tests.fakes.lab import NAMESPACE, HastyClock, Lab, recorded, step


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """An action, and what must be there so that it has something to do."""

    make: Callable[[Kubernetes], Action[Any]]
    params: BaseModel
    before: Callable[[Lab], None] = lambda _: None


def ruled(lab: Lab) -> None:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "api"}
    spec = {"scaleTargetRef": target, "minReplicas": 1, "maxReplicas": 9}
    lab.create("horizontalpodautoscalers", "api-hpa", spec=spec)


def configured(lab: Lab) -> None:
    lab.create("configmaps", "api-config", data={"a": "1"})


def claimed(lab: Lab) -> None:
    lab.create_claim("cache")


def released(lab: Lab) -> None:
    def change(deployment: Object) -> None:
        deployment["spec"]["template"]["spec"]["containers"][0]["image"] = "server:2"

    lab.change("deployments", "api", change)


class _Nobody:
    """Stands where a cluster would: rights are asked of an action without one."""

    pods = None
    storage = None
    workloads = None


NOBODY: Any = _Nobody()
CLOCK = HastyClock()
CASES: Mapping[str, Case] = {
    "scale": Case(make=Scale, params=ScaleParams(replicas="+1")),
    "scale through an autoscaler": Case(
        make=Scale, params=ScaleParams(replicas="+1"), before=ruled
    ),
    "restart": Case(make=lambda one: RolloutRestart(one, clock=CLOCK), params=RestartParams()),
    "status": Case(make=lambda one: RolloutStatus(one, clock=CLOCK), params=RolloutStatusParams()),
    "rollback": Case(make=RolloutUndo, params=RolloutUndoParams(), before=released),
    "evict": Case(make=Evict, params=RemovalParams(select="oldest")),
    "delete": Case(make=DeletePod, params=RemovalParams(select="oldest")),
    "config": Case(
        make=ConfigMapPatch,
        params=ConfigMapPatchParams(name="api-config", key="a", value="2"),
        before=configured,
    ),
    "expand": Case(
        make=lambda one: PvcExpand(one, clock=CLOCK),
        params=PvcExpandParams(claim="cache", to="300Gi"),
        before=claimed,
    ),
    "set-env": Case(make=SetEnv, params=SetEnvParams(name="MODE", value="1")),
    "exec": Case(make=lambda one: Exec(one, clock=CLOCK), params=ExecParams(command=("true",))),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
async def test_an_action_needs_no_right_that_it_does_not_name(lab: Lab, case: Case) -> None:
    action = case.make(lab.healer)
    case.before(lab)
    await lab.settled()
    lab.grant(action.permissions(case.params, namespace=NAMESPACE))

    params = recorded(await action.prepare(case.params, step()))
    rehearsed = await action.run(params, step(dry_run=True))
    outcome = await action.run(params, step())
    await action.settle(params, step())
    undo = action.undo(params, outcome)
    if undo:
        assert undo.action == action.name
        await action.run(recorded(undo.params), step(key="i-1.1.undo-step"))

    assert rehearsed.result is Result.SKIPPED
    assert outcome.result is Result.SUCCEEDED


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
async def test_without_rights_an_action_is_refused_with_the_server_s_words(
    lab: Lab, case: Case
) -> None:
    case.before(lab)
    ready = await case.make(lab.admin).prepare(case.params, step())

    with pytest.raises(RejectedError, match="system:serviceaccount:production:healer") as caught:
        await case.make(lab.healer).run(ready, step())

    assert caught.value.reason == "Forbidden"


ELSEWHERE = {
    ("scale", "horizontalpodautoscalers", "get"),
    ("scale", "horizontalpodautoscalers", "patch"),
    ("scale through an autoscaler", "deployments/scale", "patch"),
}
"""Which way a scale takes is known only then: these rights are for the other way."""

NEEDED = [
    pytest.param(case, right, id=f"{name}: {right.verb} {right.resource}")
    for name, case in CASES.items()
    for right in case.make(NOBODY).permissions(case.params, namespace=NAMESPACE)
    if (name, right.resource, right.verb) not in ELSEWHERE
]


@pytest.mark.parametrize(("case", "right"), NEEDED)
async def test_an_action_names_no_right_that_it_does_not_need(
    lab: Lab, case: Case, right: Permission
) -> None:
    action = case.make(lab.healer)
    case.before(lab)
    await lab.settled()
    rights = action.permissions(case.params, namespace=NAMESPACE)
    lab.grant(one for one in rights if one != right)

    with pytest.raises(RejectedError) as caught:
        await _do_all(action, case.params)

    assert caught.value.reason == "Forbidden"


async def _do_all(action: Action[Any], params: BaseModel) -> None:
    final = await action.prepare(params, step())
    await action.run(final, step())
    await action.settle(final, step())
