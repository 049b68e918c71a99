"""kubernetes.mount: what the kernel of each container says of a path, and nothing else."""

import pytest

from healer.check.contract import CheckContext
from healer.check.kubernetes.mount import MountParams, MountState
from healer.errors import RejectedError, TemporaryError
from tests.fakes.lab import NAMESPACE, Lab

PARAMS = MountParams(path="/mnt/ssd")
TABLE = "cat /proc/self/mounts"
WRITABLE = b"overlay / overlay rw 0 0\n/dev/nvme1n1 /mnt/ssd ext4 rw,noatime 0 0\n"
READ_ONLY = WRITABLE.replace(b"ext4 rw", b"ext4 ro")


def says(lab: Lab, table: bytes, *, code: int = 0) -> None:
    lab.node.answers[TABLE] = ([(1, table)], code)


async def test_its_own_rights_are_enough_to_tell_that_it_can_be_written_to(
    lab: Lab, ctx: CheckContext
) -> None:
    check = MountState(lab.healer)
    lab.grant(check.permissions(PARAMS, namespace=NAMESPACE))
    says(lab, WRITABLE)

    found = await check.look(PARAMS, ctx)

    assert found.holds
    told = {"mounted": True, "read_only": False, "source": "/dev/nvme1n1", "kind": "ext4"}
    assert told.items() <= found.evidence.items()
    assert found.evidence["options"] == "rw,noatime"
    assert [one.command for one in lab.node.started] == [["cat", "/proc/self/mounts"]] * 3


async def test_what_the_kernel_turned_read_only_is_told_with_the_pods(
    lab: Lab, ctx: CheckContext
) -> None:
    says(lab, READ_ONLY)

    found = await MountState(lab.admin).look(MountParams(path="/mnt/ssd/"), ctx)

    assert not found.holds
    assert found.evidence["read_only"] is True
    assert found.evidence["read_only_pods"] == sorted(one["metadata"]["name"] for one in lab.pods)


async def test_a_folder_is_no_mount(lab: Lab, ctx: CheckContext) -> None:
    says(lab, b"overlay / overlay rw 0 0\n")

    found = await MountState(lab.admin).look(PARAMS, ctx)

    assert not found.holds
    assert (found.evidence["mounted"], found.evidence["read_only"]) == (False, False)
    assert found.summary == "/mnt/ssd is no mount in 3 of 3 pods"


async def test_of_two_mounts_over_each_other_the_upper_one_is_seen(
    lab: Lab, ctx: CheckContext
) -> None:
    says(lab, READ_ONLY + b"tmpfs /mnt/ssd tmpfs rw 0 0\n")

    found = await MountState(lab.admin).look(PARAMS, ctx)

    assert (found.evidence["kind"], found.evidence["read_only"]) == ("tmpfs", False)


async def test_a_container_without_the_means_to_tell_leaves_it_unknown(
    lab: Lab, ctx: CheckContext
) -> None:
    says(lab, b"", code=127)

    with pytest.raises(TemporaryError, match=r"mounts of pod production/api-.* cannot be read"):
        await MountState(lab.admin).look(PARAMS, ctx)


async def test_without_rights_it_says_that_it_may_not_look(lab: Lab, ctx: CheckContext) -> None:
    with pytest.raises(RejectedError, match="forbidden"):
        await MountState(lab.healer).look(PARAMS, ctx)
