"""disk.usage and disk.reclaimable: what is asked of a pod, and what is made of its answer."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from healer.check.contract import CheckContext
from healer.check.disk.reclaimable import Reclaimable, ReclaimableParams
from healer.check.disk.usage import Usage, UsageParams
from healer.errors import PermanentError
from tests.fakes.declared import hold_to_its_word
from tests.fakes.lab import NAMESPACE, Lab, running_lab, service
from tests.fakes.sweeping import orders, says, share, told


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Lab]:
    async with running_lab(tmp_path) as running:
        share(running)
        yield running


@pytest.fixture
def ctx() -> CheckContext:
    return CheckContext(id="asked", service=service(), target=service().workload)


def asked(**more: Any) -> ReclaimableParams:
    body = {"kind": "checkpoints", "volume": "/mnt/ssd", "path": "/mnt/ssd/checkpoints", "keep": 3}
    return ReclaimableParams.model_validate({**body, **more})


async def test_usage_names_the_largest_and_needs_no_other_rights(
    lab: Lab, ctx: CheckContext
) -> None:
    params = UsageParams(volume="/mnt/ssd", largest=2)
    check = Usage(lab.healer)
    lab.grant(check.permissions(params, namespace=NAMESPACE))
    folders = [{"name": "hub", "bytes": 2048}, {"name": "logs", "bytes": 512}]
    says(lab, {"used_bytes": 900, "total_bytes": 1000, "used_share": 0.9, "folders": folders})

    found = await check.look(params, ctx)
    hold_to_its_word(check, found)

    assert found.summary == "90% of /mnt/ssd is used: hub 2Ki, logs 512"
    assert found.evidence == {
        "used_share": 0.9,
        "used_bytes": 900,
        "total_bytes": 1000,
        "largest": ["hub", "logs"],
    }
    assert orders(lab)[0]["most"] == 2


async def test_what_may_go_is_counted_as_a_share_of_the_volume(lab: Lab, ctx: CheckContext) -> None:
    check = Reclaimable(lab.healer)
    lab.grant(check.permissions(asked(), namespace=NAMESPACE))
    items = [{"name": "checkpoint-1", "bytes": 100}, {"name": "checkpoint-2", "bytes": 150}]
    says(lab, told(items=items))

    found = await check.look(asked(), ctx)
    hold_to_its_word(check, found)

    assert found.holds
    assert found.evidence == {
        "items": 2,
        "bytes": 250,
        "share": 0.25,
        "names": ["checkpoint-1", "checkpoint-2"],
    }
    assert found.summary == "2 checkpoints in /mnt/ssd/checkpoints may go: 250"
    order = orders(lab)[0]
    assert "until" not in order
    assert (order["keep"], order["min_age"]) == (3, 3600)


@pytest.mark.parametrize(
    ("answer", "summary"),
    [
        (told(missing=True), "there is no /mnt/ssd/checkpoints"),
        (told(), "no checkpoints in /mnt/ssd/checkpoints may go"),
    ],
)
async def test_nothing_that_may_go_is_an_answer(
    lab: Lab, ctx: CheckContext, answer: dict[str, Any], summary: str
) -> None:
    says(lab, answer)

    found = await Reclaimable(lab.admin).look(asked(), ctx)

    assert found.known
    assert not found.holds
    assert found.evidence["share"] == 0.0
    assert found.summary == summary


async def test_a_refusal_is_no_answer(lab: Lab, ctx: CheckContext) -> None:
    says(lab, {"error": "Permission denied"})

    with pytest.raises(PermanentError, match="Permission denied"):
        await Reclaimable(lab.admin).look(asked(), ctx)


def test_a_folder_outside_the_volume_cannot_be_asked_about() -> None:
    with pytest.raises(ValidationError, match="nothing outside the volume is touched"):
        asked(path="/etc/ssl")
