"""The shape of a playbook document, as users write it. What it means is checked in `meaning`."""

import re
from datetime import timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    WithJsonSchema,
    model_validator,
)

from healer.kit.duration import Duration
from healer.model.matcher import Matcher
from healer.model.service import parse_target
from healer.playbook.matching import check_alternative, parse_matcher

API_VERSION = "healer/v1"
_STRICT = ConfigDict(extra="forbid", strict=True, frozen=True)
_RESERVED = frozenset(
    {
        *("as", "break", "const", "continue", "else", "false", "for", "function", "if", "import"),
        *("in", "let", "loop", "namespace", "null", "package", "return", "true", "var", "void"),
        "while",
    }
)


def _condition(value: object) -> object:
    """YAML reads `when: true` as a truth value, but the condition is the text."""
    return str(value).lower() if isinstance(value, bool) else value


def _identifier(text: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,39}", text):
        message = f"{text!r} cannot be named in conditions: use a-z, 0-9 and _, letter first"
        raise ValueError(message)
    if text in _RESERVED:
        message = f"{text!r} is a word of CEL: choose another id"
        raise ValueError(message)
    return text


def _title(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?", text):
        message = f"{text!r} is not a name: use letters, digits, - _ . (at most 63 characters)"
        raise ValueError(message)
    return text


def _address(text: str) -> str:
    if not re.fullmatch(r"https?://[^\s]+", text):
        message = f"{text!r} is not an address: write https://…"
        raise ValueError(message)
    return text


def _target(text: str) -> str:
    if "{{" not in text:
        parse_target(text)
    return text


def _positive(span: timedelta) -> timedelta:
    if span <= timedelta():
        message = "must be longer than nothing"
        raise ValueError(message)
    return span


def _matcher(value: object) -> Matcher:
    if not isinstance(value, str):
        message = "must be a text such as 'severity=\"critical\"' (in quotes, for YAML)"
        raise ValueError(message)
    return parse_matcher(value)


def _alternative(matchers: list[Matcher]) -> list[Matcher]:
    check_alternative(matchers)
    return matchers


MatcherText = Annotated[
    Matcher,
    PlainValidator(_matcher),
    WithJsonSchema({"type": "string", "examples": ['alertname="HighLatency"']}),
]
Matchers = Annotated[list[MatcherText], AfterValidator(_alternative)]
Condition = Annotated[str, Field(min_length=1), BeforeValidator(_condition)]
Identifier = Annotated[str, AfterValidator(_identifier)]
Name = Annotated[str, AfterValidator(_title)]
Address = Annotated[str, AfterValidator(_address)]
TargetText = Annotated[str, AfterValidator(_target)]
Span = Annotated[Duration, AfterValidator(_positive)]
Text = Annotated[str, Field(min_length=1)]


class GuardPart(BaseModel):
    """A guard that must allow what is done."""

    model_config = _STRICT
    guard: Text
    with_: dict[str, Any] = Field(default_factory=dict[str, Any], alias="with")


class CheckPart(BaseModel):
    """A read-only question, asked before anything is done and again to verify."""

    model_config = _STRICT
    id: Identifier
    check: Text
    with_: dict[str, Any] = Field(default_factory=dict[str, Any], alias="with")


class StepPart(BaseModel):
    """One action."""

    model_config = _STRICT
    id: Identifier
    action: Text
    with_: dict[str, Any] = Field(default_factory=dict[str, Any], alias="with")
    timeout: Span = timedelta(minutes=1)
    attempts: int = Field(default=1, ge=1, le=10)
    undo: Literal["never", "on-failure", "afterwards"] = "never"


class RemedyPart(BaseModel):
    """A branch: the first whose condition holds is taken. Without steps it only reports."""

    model_config = _STRICT
    name: Name
    when: Condition
    because: str = ""
    steps: list[StepPart] = Field(default_factory=list[StepPart])


class VerifyPart(BaseModel):
    """What healed means."""

    model_config = _STRICT
    until: Condition
    for_: Duration = Field(default=timedelta(minutes=1), alias="for")
    timeout: Span = timedelta(minutes=5)
    every: Span = timedelta(seconds=15)
    watch: Duration = timedelta(minutes=30)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if max(self.for_, self.every) > self.timeout:
            message = "`timeout` is shorter than `for` or `every`: it could never be verified"
            raise ValueError(message)
        return self


class EscalatePart(BaseModel):
    """When a human is called."""

    model_config = _STRICT
    after: Span | None = None
    when: Condition | None = None
    to: list[Text] = Field(default_factory=list[str])
    failures: int = Field(default=2, ge=1, le=10)
    update_every: Span = timedelta(minutes=15)


class MetadataPart(BaseModel):
    """What it is called."""

    model_config = _STRICT
    name: Name
    title: Text
    runbook: Address | None = None


class SpecPart(BaseModel):
    """The procedure."""

    model_config = _STRICT
    services: list[Text] = Field(default_factory=list[str])
    match: list[Matchers] = Field(min_length=1)
    joins: list[Name] = Field(default_factory=list[str])
    target: TargetText = "{{ service.workload }}"
    mode: Literal["observe", "dry-run", "approve", "auto"] = "approve"
    guards: list[GuardPart] = Field(default_factory=list[GuardPart])
    diagnose: list[CheckPart] = Field(default_factory=list[CheckPart])
    remedies: list[RemedyPart] = Field(default_factory=list[RemedyPart])
    verify: VerifyPart
    escalate: EscalatePart = EscalatePart()


class PlaybookDocument(BaseModel):
    """A whole playbook file."""

    model_config = _STRICT
    api_version: Literal["healer/v1"] = Field(alias="apiVersion")
    kind: Literal["Playbook"]
    metadata: MetadataPart
    spec: SpecPart
