"""kubernetes.remount: only where it is read-only, and the kernel tells what came of it."""

from typing import Any

import pytest

from healer.action.kubernetes.remount import Remount, RemountParams
from healer.errors import PermanentError
from healer.model.effect import Effect
from healer.model.outcome import Result
from tests.fakes.lab import NAMESPACE, Lab, recorded, step

TABLE, REMOUNT = "cat /proc/self/mounts", "mount -o remount,rw /mnt/ssd"
WRITABLE = b"/dev/nvme1n1 /mnt/ssd ext4 rw 0 0\n"
READ_ONLY = b"/dev/nvme1n1 /mnt/ssd ext4 ro 0 0\n"
PARAMS = RemountParams(path="/mnt/ssd")


def mounts(lab: Lab, table: bytes) -> None:
    lab.node.answers[TABLE] = ([(1, table)], 0)


def remounts(lab: Lab) -> int:
    return sum(" ".join(one.command) == REMOUNT for one in lab.node.started)


async def prepared(lab: Lab) -> RemountParams:
    return recorded(await Remount(lab.admin).prepare(PARAMS, step()))


async def test_it_is_privileged() -> None:
    assert Remount.effect is Effect.PRIVILEGED


async def test_its_own_rights_are_enough_to_remount_every_pod_that_is_read_only(lab: Lab) -> None:
    mounts(lab, READ_ONLY)
    action = Remount(lab.healer)
    lab.grant(action.permissions(PARAMS, namespace=NAMESPACE))

    params = recorded(await action.prepare(PARAMS, step()))
    outcome = await action.run(params, step())

    assert outcome.result is Result.SUCCEEDED
    names = sorted(one["metadata"]["name"] for one in lab.pods)
    assert outcome.summary == f"remounted /mnt/ssd in {', '.join(names)}, writable"
    assert remounts(lab) == 3
    assert action.undo(params, outcome) is None


async def test_where_it_can_be_written_to_there_is_nothing_to_do(lab: Lab) -> None:
    mounts(lab, WRITABLE)

    with pytest.raises(PermanentError, match="read-only in no pod"):
        await Remount(lab.admin).prepare(PARAMS, step())


async def test_a_rehearsal_says_what_it_would_do_and_runs_nothing(lab: Lab) -> None:
    mounts(lab, READ_ONLY)

    outcome = await Remount(lab.admin).run(await prepared(lab), step(dry_run=True))

    assert outcome.result is Result.SKIPPED
    assert outcome.summary.startswith("would remount /mnt/ssd in api-")
    assert remounts(lab) == 0


async def test_a_container_that_may_not_mount_is_not_asked_again(lab: Lab) -> None:
    mounts(lab, READ_ONLY)
    lab.node.answers[REMOUNT] = ([(2, b"mount: /mnt/ssd: permission denied.\n")], 32)

    outcome = await Remount(lab.admin).run(await prepared(lab), step())

    assert outcome.result is Result.FAILED
    assert outcome.summary.endswith("was not remounted: mount: /mnt/ssd: permission denied.")
    assert outcome.evidence["final"] is True
    assert remounts(lab) == 1


async def test_a_pod_that_is_another_one_by_now_is_left_alone(lab: Lab) -> None:
    mounts(lab, READ_ONLY)
    params = await prepared(lab)
    assert params.pods is not None
    first, *_ = params.pods
    other = params.model_copy(update={"pods": {**params.pods, first: "of-another"}})

    await Remount(lab.admin).run(other, step())

    assert remounts(lab) == 2


@pytest.mark.parametrize(
    ("table", "result"), [(WRITABLE, Result.SUCCEEDED), (READ_ONLY, Result.FAILED)]
)
async def test_after_a_crash_the_kernel_tells_what_came_of_it(
    lab: Lab, table: bytes, result: Result
) -> None:
    mounts(lab, READ_ONLY)
    params = await prepared(lab)
    mounts(lab, table)

    settled = await Remount(lab.admin).settle(params, step())

    assert settled is not None
    assert settled.result is result


async def test_a_half_done_one_is_unknown_and_so_never_done_again(lab: Lab) -> None:
    mounts(lab, READ_ONLY)
    params = await prepared(lab)
    left = dict(list((params.pods or {}).items()))
    more = params.model_copy(update={"pods": {**left, "gone-1": "u"}})

    assert await Remount(lab.admin).settle(more, step()) is None


@pytest.mark.parametrize("path", ["", "mnt/ssd", "/mnt/s d", '/mnt/"ssd"', 5])
def test_a_path_is_absolute_and_plain(path: Any) -> None:
    with pytest.raises(ValueError, match="path"):
        RemountParams.model_validate({"path": path})
