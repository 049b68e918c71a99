"""A person at the controls: answers when healer asks for approval, through the API."""

from enum import StrEnum

from healer.lab.drill.observer import Observer, Say
from healer.lab.remote import Remote

REASON = "not during the release: the drill says no"


class Answer(StrEnum):
    """What the person says when asked."""

    NONE = "none"
    APPROVE = "approve"
    DENY = "deny"


class Operator:
    """Answers once, as soon as the question stands in the timeline."""

    def __init__(self, remote: Remote, observer: Observer, *, answer: Answer, say: Say) -> None:
        self._remote = remote
        self._observer = observer
        self._answer = answer
        self._say = say
        self._answered = False

    async def look(self) -> None:
        """Was something asked, and is it not answered yet?"""
        wanted = self._answer is not Answer.NONE
        if self._answered or not wanted or not self._observer.happened("Judged", decision="ask"):
            return
        self._answered = True
        body = {"reason": REASON} if self._answer is Answer.DENY else {}
        await self._remote.answer(self._observer.incident, self._answer.value, body)
        self._say(f"The person who drills: {self._answer.value}.")
