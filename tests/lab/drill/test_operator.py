"""The person who drills: asked once, answers once, in the operator's name."""

from datetime import UTC, datetime
from typing import Any

import pytest

from healer.lab.contract import Object
from healer.lab.drill.observer import Observer
from healer.lab.drill.operator import REASON, Answer, Operator

ASKED: Object = {"seq": 1, "event": {"type": "Judged", "decision": "ask"}}


class Desk:
    """Where answers arrive."""

    def __init__(self) -> None:
        self.answers: list[tuple[str, str, Object]] = []

    async def answer(self, incident: str, word: str, body: Object) -> None:
        """Keep it."""
        self.answers.append((incident, word, body))


def seen(*entries: Object) -> Observer:
    nobody: Any = None
    observer = Observer(
        nobody, service="s", playbook="p", since=datetime(2026, 1, 1, tzinfo=UTC), say=print
    )
    observer.incident = "inc-1"
    observer.entries = list(entries)
    return observer


Given = tuple[Answer, list[tuple[str, str, Object]]]
GIVEN: list[Given] = [
    (Answer.APPROVE, [("inc-1", "approve", {})]),
    (Answer.DENY, [("inc-1", "deny", {"reason": REASON})]),
    (Answer.NONE, []),
]


@pytest.mark.parametrize(("answer", "given"), GIVEN)
async def test_a_question_is_answered_once(answer: Answer, given: list[Any]) -> None:
    desk: Any = Desk()
    operator = Operator(desk, seen(ASKED), answer=answer, say=lambda _: None)

    await operator.look()
    await operator.look()

    assert desk.answers == given


async def test_nothing_is_answered_that_was_not_asked() -> None:
    desk: Any = Desk()

    await Operator(desk, seen(), answer=Answer.APPROVE, say=lambda _: None).look()

    assert desk.answers == []
