"""kubernetes.exec against the lab's API server: WebSocket, channels, exit codes."""

import pytest
from pydantic import ValidationError

from healer.action.kubernetes.exec import Exec, ExecParams
from healer.errors import PermanentError, RejectedError, UnavailableError
from healer.model.outcome import Result
from tests.fakes.kubelet import Piece
from tests.fakes.lab import HastyClock, Lab, recorded, step

COMMAND = ("rm", "-f", "/tmp/x")


def answers(lab: Lab, *pieces: Piece, code: int = 0) -> None:
    lab.node.answers[" ".join(COMMAND)] = (pieces, code)


def action(lab: Lab) -> Exec:
    return Exec(lab.admin, clock=HastyClock())


async def prepared(lab: Lab) -> ExecParams:
    return recorded(await action(lab).prepare(ExecParams(command=COMMAND), step()))


async def test_both_streams_and_the_exit_code_come_back_apart(lab: Lab) -> None:
    answers(lab, (1, b"out"), (2, b"first\nlast words"), (1, b"put"), code=3)

    outcome = await action(lab).run(await prepared(lab), step())

    assert outcome.result is Result.FAILED
    assert outcome.evidence["exit_code"] == 3
    assert outcome.evidence["stdout"] == "output"
    assert outcome.summary.endswith("ended with 3: last words")


async def test_a_command_that_ends_well_succeeds(lab: Lab) -> None:
    answers(lab)

    outcome = await action(lab).run(await prepared(lab), step())

    assert outcome.result is Result.SUCCEEDED
    assert lab.node.started[0].command == list(COMMAND)


async def test_a_character_split_over_two_frames_is_one_character(lab: Lab) -> None:
    answers(lab, (1, "ü€".encode()[:3]), (1, "ü€".encode()[3:]), (1, b"\xff"))

    outcome = await action(lab).run(await prepared(lab), step())

    assert outcome.evidence["stdout"] == "ü€\ufffd"


async def test_more_than_enough_output_is_cut(lab: Lab) -> None:
    answers(lab, (1, b"x" * 600_000))

    outcome = await action(lab).run(await prepared(lab), step())

    assert outcome.result is Result.SUCCEEDED
    assert len(str(outcome.evidence["stdout"])) == 2000


async def test_a_command_that_does_not_end_is_given_up_and_killed(lab: Lab) -> None:
    params = recorded(await action(lab).prepare(ExecParams(command=("sleep", "inf")), step()))

    with pytest.raises(UnavailableError, match="no answer in time"):
        await action(lab).run(params, step(seconds=0.0))

    await lab.until(lambda: lab.node.started[0].killed)


async def test_a_rehearsal_runs_nothing(lab: Lab) -> None:
    outcome = await action(lab).run(await prepared(lab), step(dry_run=True))

    assert outcome.result is Result.SKIPPED
    assert "rm -f /tmp/x" in outcome.summary
    assert lab.node.started == []


async def test_nobody_knows_what_a_command_did_after_a_crash(lab: Lab) -> None:
    params = await prepared(lab)

    assert await action(lab).settle(params, step()) is None


async def test_another_pod_of_that_name_is_not_meant(lab: Lab) -> None:
    params = (await prepared(lab)).model_copy(update={"uid": "the-one-before"})

    with pytest.raises(PermanentError, match="is another one now"):
        await action(lab).run(params, step())


async def test_a_refused_handshake_is_told_as_the_refusal_that_it_is(lab: Lab) -> None:
    params = await prepared(lab)
    rights = [
        one
        for one in action(lab).permissions(params, namespace="production")
        if (one.resource, one.verb) != ("pods/exec", "create")
    ]
    lab.grant(rights)

    with pytest.raises(RejectedError) as caught:
        await Exec(lab.healer, clock=HastyClock()).run(params, step())

    assert caught.value.reason == "Forbidden"


@pytest.mark.parametrize("command", [[], "ls -l", [""], [1]])
def test_a_command_is_a_list_of_words(command: object) -> None:
    with pytest.raises(ValidationError):
        ExecParams.model_validate({"command": command})
