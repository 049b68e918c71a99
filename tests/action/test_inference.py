"""inference.* through the lab's pod proxy, to a server of its own behind each pod."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from healer.action.contract import Action, StepContext
from healer.action.inference.breaker import BreakerReset, BreakerResetParams
from healer.action.inference.cache import CacheEvict, CacheEvictParams
from healer.action.inference.limit import Limits, LimitsParams
from healer.action.inference.model import ModelRestore, ModelRestoreParams
from healer.client.kubernetes.cluster import Kubernetes
from healer.errors import RejectedError, TemporaryError, UnavailableError
from healer.lab.contract import Object
from healer.model.outcome import Result
from healer.model.service import Endpoint
from tests.fakes.inference import KEY, FakeServer, servers
from tests.fakes.lab import HastyClock, Lab, recorded, step

DAY = 86_400.0
WEEK = CacheEvictParams(older_than=timedelta(days=7))


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """The lab, and the server of each of its pods by the pod's name."""

    lab: Lab
    port: int
    by_pod: dict[str, FakeServer]

    def step(self, *, dry_run: bool = False, key: str = KEY) -> StepContext:
        ctx = step(dry_run=dry_run)
        endpoint = Endpoint(port=self.port, admin_key=key)
        return replace(ctx, service=replace(ctx.service, inference=endpoint))

    @property
    def first(self) -> FakeServer:
        return next(iter(self.by_pod.values()))

    def share_a_volume(self) -> None:
        """All pods mount the same claim, so all servers see the same cache."""
        source = {"persistentVolumeClaim": {"claimName": "cache"}}
        for pod in self.by_pod:
            self.lab.change(
                "pods", pod, lambda one: one["spec"].update(volumes=[{"name": "ssd", **source}])
            )
        for server in self.by_pod.values():
            server.cache = self.first.cache


@pytest.fixture
async def fleet(lab: Lab) -> AsyncIterator[Fleet]:
    async with servers(len(lab.pods)) as (port, found):
        by_pod: dict[str, FakeServer] = {}
        for pod, (address, server) in zip(lab.pods, found.items(), strict=True):
            name = pod["metadata"]["name"]
            by_pod[name] = server
            lab.change("pods", name, _at(address))
        yield Fleet(lab=lab, port=port, by_pod=by_pod)


def _at(address: str) -> Callable[[Object], None]:
    def change(pod: Object) -> None:
        pod["status"]["podIP"] = address

    return change


async def test_pods_with_a_shared_volume_are_asked_once(fleet: Fleet) -> None:
    fleet.first.cache += [(8 * DAY, 100), (9 * DAY, 50), (DAY, 7)]
    fleet.share_a_volume()

    outcome = await CacheEvict(fleet.lab.admin).run(WEEK, fleet.step())

    assert outcome.summary == "deleted 2 cache files (150 bytes) older than 7d"
    assert fleet.first.cache == [(DAY, 7)]
    assert sum(len(server.asked) for server in fleet.by_pod.values()) == 1


async def test_pods_with_disks_of_their_own_are_all_asked(fleet: Fleet) -> None:
    for server in fleet.by_pod.values():
        server.cache.append((8 * DAY, 10))

    outcome = await CacheEvict(fleet.lab.admin).run(WEEK, fleet.step())

    assert (outcome.evidence["files"], outcome.evidence["bytes"]) == (3, 30)
    assert outcome.evidence["pods"] == sorted(fleet.by_pod)


async def test_a_rehearsal_counts_and_deletes_nothing(fleet: Fleet) -> None:
    fleet.first.cache.append((8 * DAY, 10))

    outcome = await CacheEvict(fleet.lab.admin).run(WEEK, fleet.step(dry_run=True))

    assert outcome.result is Result.SKIPPED
    assert outcome.summary == "would delete 1 cache files (10 bytes) older than 7d"
    assert fleet.first.cache == [(8 * DAY, 10)]


async def test_after_a_crash_what_is_left_tells_whether_it_was_deleted(fleet: Fleet) -> None:
    evict = CacheEvict(fleet.lab.admin)
    fleet.first.cache.append((8 * DAY, 10))

    before = await evict.settle(recorded(WEEK), fleet.step())
    await evict.run(WEEK, fleet.step())
    after = await evict.settle(recorded(WEEK), fleet.step())

    assert before
    assert after
    assert (before.result, after.result) == (Result.FAILED, Result.SUCCEEDED)


async def test_a_model_on_a_shared_volume_is_restored_once_whoever_is_ready(fleet: Fleet) -> None:
    fleet.share_a_volume()
    names = sorted(fleet.by_pod)
    for server in fleet.by_pod.values():
        server.faults = fleet.first.faults
    fleet.first.faults += ["Checksum mismatch: a"]
    for name in names[:-1]:
        fleet.lab.change("pods", name, lambda one: one["status"].update(conditions=[]))
    restore = ModelRestore(fleet.lab.admin, clock=HastyClock())

    rehearsed = await restore.run(ModelRestoreParams(), fleet.step(dry_run=True))
    before = await restore.settle(ModelRestoreParams(), fleet.step())
    outcome = await restore.run(ModelRestoreParams(), fleet.step())
    after = await restore.settle(ModelRestoreParams(), fleet.step())

    assert rehearsed.result is Result.SKIPPED
    assert rehearsed.summary == "would restore a (7 bytes) from the backup"
    assert outcome.summary == "restored a (7 bytes) from the backup"
    assert outcome.evidence["pods"] == [names[-1]]
    assert before
    assert after
    assert (before.result, after.result) == (Result.FAILED, Result.SUCCEEDED)


async def test_a_restore_that_takes_its_time_is_waited_for(fleet: Fleet) -> None:
    fleet.share_a_volume()
    for server in fleet.by_pod.values():
        server.faults, server.reading = ["Checksum mismatch: a"], 3

    restore = ModelRestore(fleet.lab.admin, clock=HastyClock())
    outcome = await restore.run(ModelRestoreParams(), fleet.step())

    assert outcome.result is Result.SUCCEEDED


async def test_a_server_that_refuses_its_backup_is_heard(fleet: Fleet) -> None:
    fleet.share_a_volume()
    for server in fleet.by_pod.values():
        server.faults, server.cause = ["Checksum mismatch: a"], "backup"

    restore = ModelRestore(fleet.lab.admin, clock=HastyClock())
    with pytest.raises(RejectedError, match="the backup forbids it"):
        await restore.run(ModelRestoreParams(), fleet.step())
    assert all(server.faults for server in fleet.by_pod.values())


async def test_without_a_ready_pod_nobody_can_be_asked(fleet: Fleet) -> None:
    for pod in fleet.by_pod:
        fleet.lab.change("pods", pod, lambda one: one["status"].update(conditions=[]))

    with pytest.raises(TemporaryError, match="no pod of production/deployment/api is ready"):
        await CacheEvict(fleet.lab.admin).run(WEEK, fleet.step())


async def test_a_wrong_key_is_refused_and_never_shown(fleet: Fleet) -> None:
    with pytest.raises(RejectedError, match="wrong or missing admin key") as caught:
        await CacheEvict(fleet.lab.admin).run(WEEK, fleet.step(key="not-the-key"))

    assert caught.value.reason == "invalid_api_key"
    assert "not-the-key" not in str(caught.value)


async def test_a_server_that_is_overloaded_is_asked_again_later(fleet: Fleet) -> None:
    fleet.first.status = 503

    with pytest.raises(UnavailableError, match="not now"):
        await CacheEvict(fleet.lab.admin).run(WEEK, fleet.step())


async def test_a_server_that_does_not_listen_is_asked_again_later(fleet: Fleet) -> None:
    ctx = fleet.step()
    deaf = replace(ctx, service=replace(ctx.service, inference=Endpoint(port=1)))

    with pytest.raises(UnavailableError, match="error trying to reach service"):
        await CacheEvict(fleet.lab.admin).run(WEEK, deaf)


@pytest.mark.parametrize("age", ["0s", "-1d", "7", 7, "soon"])
def test_an_age_must_have_a_unit_and_be_more_than_nothing(age: object) -> None:
    with pytest.raises(ValidationError):
        CacheEvictParams.model_validate({"older_than": age})


async def test_open_breakers_are_reset_and_closed_ones_left_alone(fleet: Fleet) -> None:
    tripped, server = next(iter(fleet.by_pod.items()))
    server.breaker = "open"
    reset = BreakerReset(fleet.lab.admin)
    params = await reset.prepare(BreakerResetParams(), fleet.step())

    rehearsed = await reset.run(params, fleet.step(dry_run=True))
    before = await reset.settle(params, fleet.step())
    outcome = await reset.run(params, fleet.step())
    after = await reset.settle(params, fleet.step())

    assert rehearsed.result is Result.SKIPPED
    assert before
    assert after
    assert (before.result, after.result) == (Result.FAILED, Result.SUCCEEDED)
    assert outcome.evidence["pods"] == [tripped]
    resets = [one.asked.count("POST /admin/circuit-breaker/reset") for one in fleet.by_pod.values()]
    assert sorted(resets) == [0, 0, 1]


@pytest.mark.parametrize("status", ["critical", "unhealthy", "splendid"])
async def test_no_breaker_is_reset_over_what_does_not_work(fleet: Fleet, status: str) -> None:
    for server in fleet.by_pod.values():
        server.breaker = "open"
    fleet.first.ssd = status

    outcome = await BreakerReset(fleet.lab.admin).run(BreakerResetParams(), fleet.step())

    assert outcome.result is Result.FAILED
    assert outcome.summary.startswith("nothing was reset: what breaker ssd of pod api-")
    assert outcome.summary.endswith(f"protects is {status} (EIO)")
    assert {server.breaker for server in fleet.by_pod.values()} == {"open"}


async def test_a_limit_goes_to_every_pod_and_each_gets_back_what_it_had(fleet: Fleet) -> None:
    for number, server in enumerate(fleet.by_pod.values()):
        server.limit = 100 + number
    limits = Limits(fleet.lab.admin)
    params = recorded(await limits.prepare(LimitsParams(max_num_seqs=64), fleet.step()))

    outcome = await limits.run(params, fleet.step())

    assert outcome.summary == "set maxNumSeqs of 3 pods from 100, 101, 102 to 64"
    assert {server.limit for server in fleet.by_pod.values()} == {64}
    undo = limits.undo(params, outcome)
    assert undo
    assert isinstance(undo.params, LimitsParams)
    await limits.run(recorded(undo.params), fleet.step())
    assert [server.limit for server in fleet.by_pod.values()] == [100, 101, 102]


async def test_a_rehearsed_limit_changes_nothing(fleet: Fleet) -> None:
    limits = Limits(fleet.lab.admin)
    params = await limits.prepare(LimitsParams(max_num_seqs=64), fleet.step(dry_run=True))

    outcome = await limits.run(params, fleet.step(dry_run=True))

    assert outcome.result is Result.SKIPPED
    assert {server.limit for server in fleet.by_pod.values()} == {256}
    assert limits.undo(params, outcome) is None


async def test_after_a_crash_the_limits_tell_what_came_of_it(fleet: Fleet) -> None:
    limits = Limits(fleet.lab.admin)
    params = recorded(await limits.prepare(LimitsParams(max_num_seqs=64), fleet.step()))

    untouched = await limits.settle(params, fleet.step())
    fleet.first.limit = 64
    half = await limits.settle(params, fleet.step())
    await limits.run(params, fleet.step())
    done = await limits.settle(params, fleet.step())

    assert untouched
    assert untouched.result is Result.FAILED
    assert half is None
    assert done
    assert done.result is Result.SUCCEEDED


async def test_a_pod_that_is_gone_meanwhile_needs_no_limit(fleet: Fleet) -> None:
    limits = Limits(fleet.lab.admin)
    params = await limits.prepare(LimitsParams(max_num_seqs=64), fleet.step())
    gone = next(iter(fleet.by_pod))
    fleet.lab.store.delete("pods", "production", gone)

    outcome = await limits.run(params, fleet.step())

    assert outcome.evidence["pods"] == [pod for pod in fleet.by_pod if pod != gone]


@pytest.mark.parametrize(
    ("kind", "params"),
    [
        (CacheEvict, WEEK),
        (BreakerReset, BreakerResetParams()),
        (Limits, LimitsParams(max_num_seqs=64)),
    ],
)
async def test_an_action_needs_no_right_that_it_does_not_name(
    fleet: Fleet, kind: Callable[[Kubernetes], Action[Any]], params: BaseModel
) -> None:
    fleet.first.breaker = "open"
    action = kind(fleet.lab.healer)
    fleet.lab.grant(action.permissions(params, namespace="production"))

    final = recorded(await action.prepare(params, fleet.step()))
    await action.run(final, fleet.step(dry_run=True))
    outcome = await action.run(final, fleet.step())
    settled = await action.settle(final, fleet.step())
    undo = action.undo(final, outcome)
    if undo:
        await action.run(recorded(undo.params), fleet.step())

    assert settled
    assert settled.result is Result.SUCCEEDED
