"""kubernetes.pvc-expand against the lab's API server."""

from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import ValidationError

from healer.action.kubernetes.expand import PvcExpand, PvcExpandParams
from healer.client.kubernetes.object import Claim
from healer.errors import PermanentError, RejectedError, StepTimeoutError
from healer.kit.clock import Clock
from healer.lab.contract import Object
from healer.model.outcome import Result
from tests.fakes.lab import HastyClock, Lab, recorded, step

CLOCK: Clock = HastyClock()
WISH = PvcExpandParams(claim="cache", to="300Gi")


def requested(lab: Lab) -> str:
    claim = lab.get("persistentvolumeclaims", "cache")
    return str(claim["spec"]["resources"]["requests"]["storage"])


async def test_done_means_that_the_volume_has_grown(lab: Lab) -> None:
    lab.create_claim("cache")
    expand = PvcExpand(lab.admin, clock=CLOCK)
    params = recorded(await expand.prepare(WISH, step()))

    outcome = await expand.run(params, step())

    assert outcome.result is Result.SUCCEEDED
    assert outcome.summary == "claim cache grew from 200Gi to 300Gi"
    assert outcome.evidence["capacity_bytes"] == 300 * 2**30
    assert expand.undo(params, outcome) is None


async def test_asked_for_and_not_there_is_not_done(lab: Lab) -> None:
    lab.create_claim("cache")
    lab.stuck.add("cache")
    expand = PvcExpand(lab.admin, clock=CLOCK)
    params = await expand.prepare(WISH, step())

    with pytest.raises(StepTimeoutError, match="300Gi asked for, 200Gi there"):
        await expand.run(params, step(seconds=0.2))

    settled = await expand.settle(params, step())
    assert settled
    assert settled.result is Result.FAILED


async def test_a_driver_that_waits_for_a_new_mount_is_named(lab: Lab) -> None:
    lab.create_claim("cache")
    lab.stuck.add("cache")
    pending = {"type": "FileSystemResizePending", "status": "True", "message": "waiting for a pod"}
    expand = PvcExpand(lab.admin, clock=CLOCK)
    params = await expand.prepare(WISH, step())
    await expand.run(params, step(dry_run=True))

    def wait(claim: Object) -> None:
        claim["status"]["conditions"] = [pending]

    lab.change("persistentvolumeclaims", "cache", wait)
    settled = await expand.settle(params, step())

    assert settled
    assert "waiting for a pod (its driver grows it only when a pod mounts it anew)" in (
        settled.summary
    )


@pytest.mark.parametrize(("grown", "result"), [(True, Result.SUCCEEDED), (False, Result.FAILED)])
async def test_after_a_crash_the_capacity_tells_what_came_of_it(
    lab: Lab, *, grown: bool, result: Result
) -> None:
    lab.create_claim("cache")
    expand = PvcExpand(lab.admin, clock=CLOCK)
    params = recorded(await expand.prepare(WISH, step()))
    if grown:
        await lab.admin.storage.request("production", "cache", "300Gi")
        await lab.until(
            lambda: (
                lab.get("persistentvolumeclaims", "cache")["status"]["capacity"]["storage"]
                == "300Gi"
            )
        )

    outcome = await expand.settle(params, step())

    assert outcome
    assert outcome.result is result


async def test_a_class_that_allows_no_expansion_is_left_alone(lab: Lab) -> None:
    lab.create_claim("cache", grows=False)

    with pytest.raises(PermanentError, match=r"\(class-of-cache\) allows no expansion"):
        await PvcExpand(lab.admin, clock=CLOCK).prepare(WISH, step())

    assert requested(lab) == "200Gi"


async def test_a_class_that_changed_its_mind_meanwhile_is_the_server_s_to_refuse(lab: Lab) -> None:
    lab.create_claim("cache")
    expand = PvcExpand(lab.admin, clock=CLOCK)
    params = await expand.prepare(WISH, step())

    def forbid(kind: Object) -> None:
        kind["allowVolumeExpansion"] = False

    lab.store.update("storageclasses", "", "class-of-cache", forbid)
    with pytest.raises(RejectedError, match="must support resize"):
        await expand.run(params, step())

    assert requested(lab) == "200Gi"


async def test_a_claim_never_shrinks(lab: Lab) -> None:
    lab.create_claim("cache", storage="400Gi")

    with pytest.raises(PermanentError, match="asks for 400Gi: it never shrinks to 300Gi"):
        await PvcExpand(lab.admin, clock=CLOCK).prepare(WISH, step())


class Lost:
    """Storage in which the claim has lost its volume."""

    async def claim(self, namespace: str, name: str) -> Claim:
        """The one claim."""
        return Claim.model_validate(
            {"metadata": {"name": name, "namespace": namespace}, "status": {"phase": "Lost"}}
        )


async def test_a_claim_without_a_volume_is_not_grown() -> None:
    cluster: Any = SimpleNamespace(storage=Lost())

    with pytest.raises(PermanentError, match="is Lost: it cannot grow"):
        await PvcExpand(cluster, clock=CLOCK).prepare(WISH, step())


async def test_a_dry_run_asks_the_server_and_changes_nothing(lab: Lab) -> None:
    lab.create_claim("cache")
    expand = PvcExpand(lab.admin, clock=CLOCK)
    before = lab.versions
    params = await expand.prepare(WISH, step(dry_run=True))

    outcome = await expand.run(params, step(dry_run=True))

    assert outcome.result is Result.SKIPPED
    assert outcome.summary == "would grow claim cache from 200Gi to 300Gi"
    assert lab.versions == before


@pytest.mark.parametrize("to", ["", "+100Gi", "300GB", "0", "-1Gi"])
def test_a_size_that_is_none_is_refused_at_once(to: str) -> None:
    with pytest.raises(ValidationError):
        PvcExpandParams(claim="cache", to=to)
