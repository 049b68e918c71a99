"""Which expert a request goes to, and why it is the fallback if it is. It sends nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from inference.router.classifier import Classifier
from inference.router.minilm import ClassifierError
from inference.router.probe import Standing, Watched
from inference.router.settings import Experts


class Reason(StrEnum):
    """Why a request went to the fallback."""

    UNSURE = "unsure"
    CLASSIFIER = "classifier"
    SLOW = "slow"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Where a request goes; without a reason it goes where it belongs."""

    expert: str
    reason: Reason | None = None
    score: float | None = None
    detail: str = ""


class Chooser:
    """By the name that was asked for, or by what the text is like."""

    def __init__(
        self,
        *,
        experts: Experts,
        classifier: Classifier,
        watched: Mapping[str, Watched],
        timeout: float,
    ) -> None:
        self._experts = experts
        self._classifier = classifier
        self._watched = watched
        self._timeout = timeout

    async def choose(self, *, asked: str | None, text: str) -> Choice:
        """An expert asked for by name is not second-guessed."""
        if asked is not None and asked in self._watched:
            found = Choice(expert=asked)
        else:
            found = await self._suiting(text)
        sick = self._watched[found.expert].standing is Standing.UNHEALTHY
        if sick and found.expert != self._experts.fallback:
            detail = f"{found.expert}: {self._watched[found.expert].message}"
            return self._fall_back(Reason.UNREACHABLE, detail)
        return found

    async def _suiting(self, text: str) -> Choice:
        try:
            match = await self._classifier.best(text, timeout=self._timeout)
        except ClassifierError as error:
            return self._fall_back(Reason.CLASSIFIER, str(error))
        except TimeoutError:
            return self._fall_back(Reason.SLOW, "the classifier took too long")
        if match.score < self._experts.threshold:
            return self._fall_back(Reason.UNSURE, f"{match.expert}: {match.score:.2f}")
        return Choice(expert=match.expert, score=match.score)

    def _fall_back(self, reason: Reason, detail: str) -> Choice:
        return Choice(expert=self._experts.fallback, reason=reason, detail=detail)
