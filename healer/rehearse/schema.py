"""The shape of a file of cases, as authors write it. Whether it fits its playbook: `fit`."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from healer.kit.duration import Duration
from healer.playbook.schema import Name, Span, Text
from healer.settings import Moment, ServicePart

_STRICT = ConfigDict(extra="forbid", strict=True, frozen=True, arbitrary_types_allowed=True)
MONDAY = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
Answers = dict[Text, dict[str, Any]]
"""By the id of a check: its evidence, or `unknown: reason` where it cannot look."""


Ending = Literal[
    "healed", "resolved", "rehearsed", "cancelled",
    "open", "held", "asking", "running", "watching", "escalated", "unmatched",
]  # fmt: skip
"""How an incident was closed, or where it stood when the case was over."""


class AlertPart(BaseModel):
    """An alert as Alertmanager would send it; it fires from the moment it is told of."""

    model_config = _STRICT
    labels: dict[Text, str] = Field(min_length=1)
    annotations: dict[Text, str] = Field(default_factory=dict[str, str])


class GivenPart(BaseModel):
    """How things stand when the alerts arrive."""

    model_config = _STRICT
    dry_run: bool = False
    paused: Text | None = None
    maintenance: Text | None = None
    silenced: bool = False
    start: Moment = MONDAY


class OutcomePart(BaseModel):
    """What comes of one attempt of a step.

    `failed` may be tried again, `refused` may not; `impossible` is found out before it begins;
    of what is `lost`, no answer came, and `settled` is what the world says when it is asked.
    `prepared` is what the action makes final before it begins, such as the number before.
    """

    model_config = _STRICT
    result: Literal["succeeded", "failed", "refused", "impossible", "lost"] = "succeeded"
    settled: Literal["succeeded", "failed", "unknown"] = "unknown"
    summary: str = ""
    evidence: dict[str, Any] = Field(default_factory=dict[str, Any])
    prepared: dict[str, Any] = Field(default_factory=dict[str, Any])
    takes: Duration = timedelta()


class DenyPart(BaseModel):
    """Who says no, and why."""

    model_config = _STRICT
    by: Text
    reason: Text


class ThenPart(BaseModel):
    """Something that happens: `at` a time since the beginning, or `after` a step succeeded."""

    model_config = _STRICT
    at: Duration | None = None
    after: Text | None = None
    delay: Duration = timedelta()
    world: Answers = Field(default_factory=dict[str, dict[str, Any]])
    resolve: bool | list[Text] = False
    fire: list[AlertPart] = Field(default_factory=list[AlertPart])
    approve: Text | None = None
    deny: DenyPart | None = None
    pause: Text | None = None
    resume: bool = False
    silence: bool | None = None
    vanish: bool = False

    @model_validator(mode="after")
    def _when(self) -> Self:
        if (self.at is None) == (self.after is None):
            message = "say when: either `at: 5m` (from the beginning) or `after: STEP`"
            raise ValueError(message)
        return self


class RefusalPart(BaseModel):
    """A guard that did not allow, and a part of the reason it gave."""

    model_config = _STRICT
    guard: Text
    decision: Literal["hold", "ask", "deny"] = "hold"
    reason: str = ""


class ExpectPart(BaseModel):
    """What is to become of one incident. What is not named here must not have happened."""

    model_config = _STRICT
    playbook: Name | None = None
    branch: Name | None = None
    steps: list[Text | dict[Text, dict[str, Any]]] = Field(default_factory=list[Any])
    refusals: list[RefusalPart] = Field(default_factory=list[RefusalPart])
    called: str | None = None
    ending: Ending
    reason: str = ""


class CasePart(BaseModel):
    """One story: how it begins, what happens, and what healer is to make of it.

    `expect` has one part for each incident, in the order of their opening.
    """

    model_config = _STRICT
    name: Text
    alerts: list[AlertPart] = Field(min_length=1)
    given: GivenPart = GivenPart()
    world: Answers = Field(default_factory=dict[str, dict[str, Any]])
    steps: dict[Text, OutcomePart | list[OutcomePart]] = Field(
        default_factory=dict[str, OutcomePart | list[OutcomePart]]
    )
    then: list[ThenPart] = Field(default_factory=list[ThenPart])
    until: Span | None = None
    expect: list[ExpectPart]


class CaseDocument(BaseModel):
    """A whole file."""

    model_config = _STRICT
    api_version: Literal["healer/v1"] = Field(alias="apiVersion")
    kind: Literal["PlaybookTest"]
    playbooks: Annotated[list[Text], Field(min_length=1)]
    services: Annotated[list[ServicePart], Field(min_length=1)]
    cases: Annotated[list[CasePart], Field(min_length=1)]
