"""inference.model through the pod proxy: one server of a volume tells, ready or not."""

import pytest

from healer.check.inference.model import Model, ModelParams
from healer.errors import TemporaryError
from tests.check.inference.conftest import Ward
from tests.fakes.declared import hold_to_its_word
from tests.fakes.lab import NAMESPACE
from tests.fakes.stub import says

PARAMS = ModelParams()
SOUND: dict[str, object] = {
    "folder": "/models/default",
    "sound": True,
    "faults": [],
    "cause": "",
    "refusal": "",
}
FAULT = {"file": "a", "reason": "checksum", "text": "Checksum mismatch: a"}
CORRUPT = {**SOUND, "sound": False, "faults": [FAULT]}
HOPELESS = {**CORRUPT, "cause": "backup", "refusal": "the backup is not sound"}


@pytest.fixture
def shared(ward: Ward) -> Ward:
    """All pods have the same volume."""
    for name in ward.names:
        ward.mount(name, "shared")
    return ward


async def test_one_server_of_a_volume_is_asked_with_no_more_than_its_own_rights(
    shared: Ward,
) -> None:
    shared.stub.on("GET", "/admin/model", says(SOUND))
    check = Model(shared.lab.healer)
    shared.lab.grant(check.permissions(PARAMS, namespace=NAMESPACE))

    found = await check.look(PARAMS, shared.ctx)
    hold_to_its_word(check, found)

    assert found.holds
    assert found.evidence == {
        "sound": True, "faults": 0, "first": "", "restorable": True, "cause": "", "refusal": "",
        "volumes": 1,
    }  # fmt: skip
    (asked,) = shared.stub.asked
    assert asked.headers["X-Admin-Key"] == "k3y"


async def test_a_corrupt_model_is_named_also_by_a_server_that_is_not_ready(shared: Ward) -> None:
    for name in shared.names:
        shared.unready(name)
    shared.stub.on("GET", "/admin/model", says(CORRUPT))

    found = await Model(shared.lab.admin).look(PARAMS, shared.ctx)

    assert not found.holds
    told = {"sound": False, "faults": 1, "first": "Checksum mismatch: a", "restorable": True}
    assert told.items() <= found.evidence.items()


async def test_a_backup_that_is_no_better_says_why(shared: Ward) -> None:
    shared.stub.on("GET", "/admin/model", says(HOPELESS))

    found = await Model(shared.lab.admin).look(PARAMS, shared.ctx)

    told = {"restorable": False, "cause": "backup", "refusal": "the backup is not sound"}
    assert told.items() <= found.evidence.items()
    assert "the backup is not sound" in found.summary


async def test_one_bad_volume_of_several_is_bad(ward: Ward) -> None:
    ward.stub.on("GET", "/admin/model", says(SOUND), says(HOPELESS), says(SOUND))

    found = await Model(ward.lab.admin).look(PARAMS, ward.ctx)

    told = {"sound": False, "faults": 1, "restorable": False, "volumes": 3}
    assert told.items() <= found.evidence.items()


async def test_a_server_that_still_reads_is_neither_sound_nor_corrupt(shared: Ward) -> None:
    shared.stub.on("GET", "/admin/model", says({"folder": "/models/default"}, status=202))

    with pytest.raises(TemporaryError, match="still reading"):
        await Model(shared.lab.admin).look(PARAMS, shared.ctx)


async def test_a_volume_that_nobody_tells_of_leaves_the_whole_unknown(ward: Ward) -> None:
    ward.stub.on("GET", "/admin/model", says(SOUND))
    ward.lose(ward.names[1])

    with pytest.raises(TemporaryError, match="not every inference server tells"):
        await Model(ward.lab.admin).look(PARAMS, ward.ctx)
