"""A service that healer looks after, and the workload a remediation touches: data, not code."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from healer.model.alert import Labels
from healer.model.matcher import Matcher, all_match


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The Kubernetes object that locks and budgets belong to, e.g. production/deployment/api."""

    namespace: str
    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.kind}/{self.name}"


def parse_target(text: str) -> Target:
    """The inverse of `str(target)`; ValueError where it has not three parts."""
    parts = text.split("/")
    if len(parts) != 3 or not all(parts):
        message = f"a target is namespace/kind/name, not {text!r}"
        raise ValueError(message)
    return Target(namespace=parts[0], kind=parts[1], name=parts[2])


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """How the inference server of a service is reached, through its pods."""

    port: int = 8000
    admin_key: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Severity:
    """What a severity means for this service: does it page, and how soon must someone act."""

    name: str
    pages: bool
    respond_within: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """Which alerts are its, where it runs, what its numbers are, and whom to tell."""

    name: str
    match: tuple[Matcher, ...]
    workload: Target
    selector: str
    inference: Endpoint = field(default_factory=Endpoint)
    thresholds: Mapping[str, float] = field(default_factory=dict[str, float])
    values: Mapping[str, str] = field(default_factory=dict[str, str])
    severities: Mapping[str, Severity] = field(default_factory=dict[str, Severity])
    privileged: frozenset[str] = frozenset()
    """Names of the privileged actions that are switched on for it."""
    slack_channel: str = ""
    pagerduty_key: str = field(default="", repr=False)

    @property
    def namespace(self) -> str:
        """Where its workload lives."""
        return self.workload.namespace

    def owns(self, labels: Labels) -> bool:
        """Is an alert with these labels about this service?"""
        return all_match(self.match, labels)
