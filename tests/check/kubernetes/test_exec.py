"""kubernetes.exec as a check: in whose pod, and what is kept of what it says."""

import pytest

from healer.check.contract import CheckContext
from healer.check.kubernetes.exec import Exec, ExecParams
from healer.errors import RejectedError, TemporaryError
from healer.lab.contract import Object
from tests.fakes.lab import NAMESPACE, Lab

PARAMS = ExecParams(command=("df", "-h", "/mnt/ssd"))


async def test_its_own_rights_are_enough_to_hear_a_command(lab: Lab, ctx: CheckContext) -> None:
    check = Exec(lab.healer)
    lab.grant(check.permissions(PARAMS, namespace=NAMESPACE))
    lab.node.answers["df -h /mnt/ssd"] = ([(1, b"97% /mnt/ssd\n"), (2, b"careful\n")], 0)

    found = await check.look(PARAMS, ctx)

    assert found.holds
    assert found.evidence["exit_code"] == 0
    assert found.evidence["stdout"] == "97% /mnt/ssd\n"
    assert found.evidence["stderr"] == "careful\n"


async def test_another_exit_code_is_an_answer(lab: Lab, ctx: CheckContext) -> None:
    lab.node.answers["df -h /mnt/ssd"] = ([(2, b"no such file\n")], 1)

    found = await Exec(lab.admin).look(PARAMS, ctx)

    assert found.known
    assert not found.holds
    assert found.evidence["exit_code"] == 1


async def test_what_is_kept_of_a_long_answer_is_bounded(lab: Lab, ctx: CheckContext) -> None:
    lab.node.answers["df -h /mnt/ssd"] = ([(1, b"x" * 100_000)], 0)

    found = await Exec(lab.admin).look(PARAMS, ctx)

    assert len(str(found.evidence["stdout"])) == 4000


async def test_where_no_pod_is_ready_one_that_runs_is_asked(lab: Lab, ctx: CheckContext) -> None:
    for pod in lab.pods:
        lab.change("pods", pod["metadata"]["name"], _unready)
    lab.node.answers["df -h /mnt/ssd"] = ([(1, b"97%")], 0)

    assert (await Exec(lab.admin).look(PARAMS, ctx)).holds


def _unready(pod: Object) -> None:
    for one in pod["status"]["conditions"]:
        one["status"] = "False" if one["type"] == "Ready" else one["status"]


async def test_a_pod_of_another_service_is_never_entered(lab: Lab, ctx: CheckContext) -> None:
    lab.store.create(
        "pods",
        {
            "metadata": {"name": "stranger", "namespace": NAMESPACE, "labels": {"app": "other"}},
            "spec": {"containers": [{"name": "server", "image": "server:1"}]},
        },
    )

    with pytest.raises(TemporaryError, match="has no pod stranger among those of api"):
        await Exec(lab.admin).look(PARAMS.model_copy(update={"pod": "stranger"}), ctx)
    assert lab.node.started == []


async def test_without_the_right_to_exec_nothing_runs(lab: Lab, ctx: CheckContext) -> None:
    check = Exec(lab.healer)
    rights = check.permissions(PARAMS, namespace=NAMESPACE)
    lab.grant(one for one in rights if one.resource == "pods")

    with pytest.raises(RejectedError) as caught:
        await check.look(PARAMS, ctx)

    assert caught.value.reason == "Forbidden"
    assert lab.node.started == []
