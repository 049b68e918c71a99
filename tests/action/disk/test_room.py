"""The three ways to make room, through the lab's API server; what the program says is made up."""

from typing import Any

import pytest
from pydantic import ValidationError

from healer.action.disk.log import RotateLogs, RotateLogsParams
from healer.action.disk.newest import KeepNewest, KeepNewestParams
from healer.action.disk.revision import PurgeRevisions, PurgeRevisionsParams
from healer.client.disk.folder import PROGRAM
from healer.errors import PermanentError, RejectedError, TemporaryError, UnavailableError
from healer.model.outcome import Result
from tests.fakes.lab import NAMESPACE, HastyClock, Lab, recorded, step
from tests.fakes.sweeping import orders, says, share, told

CLOCK = HastyClock()


def wish(**more: Any) -> KeepNewestParams:
    body = {"volume": "/mnt/ssd", "path": "/mnt/ssd/checkpoints", "until": 0.8, "keep": 3}
    return KeepNewestParams.model_validate({**body, **more})


@pytest.fixture
def shared(lab: Lab) -> Lab:
    share(lab)
    return lab


async def test_its_own_rights_are_enough_and_the_program_travels_as_input(shared: Lab) -> None:
    action = KeepNewest(shared.healer, clock=CLOCK)
    shared.grant(action.permissions(wish(), namespace=NAMESPACE))
    says(shared, told(gone=["checkpoint-1"]))

    outcome = await action.run(recorded(await action.prepare(wish(), step())), step())

    assert outcome.result is Result.SUCCEEDED
    assert outcome.summary == (
        "took 1 from /mnt/ssd/checkpoints (checkpoint-1): 75% of /mnt/ssd is used now"
    )
    (order,) = orders(shared)
    assert (order["kind"], order["keep"], order["until"]) == ("checkpoints", 3, 0.8)
    (run,) = shared.node.started
    assert run.stdin == PROGRAM
    assert action.undo(wish(), outcome) is None


@pytest.mark.parametrize("missing", ["pods", "pods/exec"])
async def test_it_names_no_right_that_it_does_not_need(shared: Lab, missing: str) -> None:
    action = KeepNewest(shared.healer, clock=CLOCK)
    rights = action.permissions(wish(), namespace=NAMESPACE)
    shared.grant(one for one in rights if one.resource != missing)
    says(shared, told())

    with pytest.raises(RejectedError) as caught:
        await action.run(wish(), step())

    assert caught.value.reason == "Forbidden"


@pytest.mark.parametrize(
    ("action", "params", "kind"),
    [
        (
            PurgeRevisions,
            PurgeRevisionsParams(volume="/mnt/ssd", path="/mnt/ssd/hub", until=0.8),
            "revisions",
        ),
        (RotateLogs, RotateLogsParams(volume="/mnt/ssd", path="/mnt/ssd/logs", until=0.8), "logs"),
        (KeepNewest, wish(), "checkpoints"),
    ],
)
async def test_each_asks_for_its_own_kind(
    shared: Lab, action: type[Any], params: Any, kind: str
) -> None:
    says(shared, told(used_share=0.9))

    outcome = await action(shared.admin, clock=CLOCK).run(params, step())

    assert orders(shared)[0]["kind"] == kind
    assert f"nothing in {params.path} may go: 90%" in outcome.summary


async def test_room_that_is_there_already_is_no_failure(shared: Lab) -> None:
    says(shared, told())

    outcome = await KeepNewest(shared.admin, clock=CLOCK).run(wish(), step())

    assert outcome.result is Result.SUCCEEDED
    assert "took nothing from /mnt/ssd/checkpoints: 75%" in outcome.summary


@pytest.mark.parametrize(
    ("gone", "result"), [([], Result.FAILED), (["checkpoint-1"], Result.SUCCEEDED)]
)
async def test_where_nothing_could_be_taken_it_failed_and_says_why(
    shared: Lab, gone: list[str], result: Result
) -> None:
    says(shared, told(used_share=0.9, gone=gone, failed=["checkpoint-2: Permission denied"]))

    outcome = await KeepNewest(shared.admin, clock=CLOCK).run(wish(), step())

    assert outcome.result is result
    assert "could not: checkpoint-2: Permission denied" in outcome.summary


async def test_a_dry_run_only_lists(shared: Lab) -> None:
    says(shared, told(used_share=0.9, items=[{"name": "checkpoint-1", "bytes": 2048}]))

    outcome = await KeepNewest(shared.admin, clock=CLOCK).run(wish(), step(dry_run=True))

    assert outcome.result is Result.SKIPPED
    assert outcome.summary == (
        "would take, as far as needed, 1 (2Ki) that may go from /mnt/ssd/checkpoints"
    )
    assert "until" not in orders(shared)[0]


@pytest.mark.parametrize(
    ("share_used", "left", "result"),
    [(0.75, 1, Result.SUCCEEDED), (0.9, 0, Result.SUCCEEDED), (0.9, 1, Result.FAILED)],
)
async def test_after_a_crash_what_is_left_tells_what_came_of_it(
    shared: Lab, share_used: float, left: int, result: Result
) -> None:
    says(shared, told(used_share=share_used, items=[{"name": "checkpoint-1", "bytes": 1}] * left))

    outcome = await KeepNewest(shared.admin, clock=CLOCK).settle(wish(), step())

    assert outcome
    assert outcome.result is result
    assert "until" not in orders(shared)[0]


async def test_an_image_without_python_is_named(shared: Lab) -> None:
    says(shared, {}, code=127)
    shared.node.awaits = 0

    with pytest.raises(PermanentError, match="has no python3"):
        await KeepNewest(shared.admin, clock=CLOCK).run(wish(), step())


@pytest.mark.parametrize("answer", [{"gone": 7}, "nonsense", []])
async def test_an_answer_that_makes_no_sense_is_not_believed(shared: Lab, answer: object) -> None:
    says(shared, answer)

    with pytest.raises(UnavailableError, match="cannot be understood"):
        await KeepNewest(shared.admin, clock=CLOCK).run(wish(), step())


async def test_what_the_disk_refuses_is_told_in_its_words(shared: Lab) -> None:
    says(shared, {"error": "/mnt/ssd/checkpoints leads through a link"})

    with pytest.raises(PermanentError, match="leads through a link"):
        await KeepNewest(shared.admin, clock=CLOCK).run(wish(), step())


async def test_pods_with_volumes_of_their_own_must_be_named(lab: Lab) -> None:
    with pytest.raises(PermanentError, match="has 3 volumes: say whose is meant"):
        await KeepNewest(lab.admin, clock=CLOCK).run(wish(), step())

    with pytest.raises(TemporaryError, match="no pod other is ready"):
        await KeepNewest(lab.admin, clock=CLOCK).run(wish(pod="other"), step())
    assert lab.node.started == []


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("/mnt/ssd", "is not below"),
        ("/var/log", "is not below"),
        ("/mnt/ssd2/logs", "is not below"),
        ("/mnt/ssd/../etc", "should match pattern"),
        ("/mnt/ssd/.hidden", "should match pattern"),
        ("logs", "should match pattern"),
        ("/mnt/ssd/a b", "should match pattern"),
    ],
)
@pytest.mark.parametrize("kind", [PurgeRevisionsParams, RotateLogsParams, KeepNewestParams])
def test_a_folder_that_is_not_plainly_below_its_volume_is_refused(
    kind: type[Any], path: str, why: str
) -> None:
    keep = {} if kind is PurgeRevisionsParams else {"keep": 3}
    with pytest.raises(ValidationError, match=why):
        kind.model_validate({"volume": "/mnt/ssd", "path": path, "until": 0.8, **keep})


@pytest.mark.parametrize("bad", [{"until": 1.0}, {"until": 0}, {"keep": 0}, {"keep": -1}])
def test_to_keep_nothing_or_to_empty_a_volume_cannot_be_asked_for(bad: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        wish(**bad)


def test_only_what_is_gone_for_good_counts_as_disruptive() -> None:
    assert [one.effect.value for one in (PurgeRevisions, RotateLogs, KeepNewest)] == [
        "reversible",
        "reversible",
        "disruptive",
    ]
