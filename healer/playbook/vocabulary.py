"""The words that a playbook may use: names of actions, checks and guards, and their parameters."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

Models = Mapping[str, type[BaseModel]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """For each name the model of its parameters. Filled by whoever knows the rooms.

    `absent` names what this daemon cannot do as it is configured, and what is missing for it.
    `evidence` has for each check the names of its evidence, and the type of each.
    """

    actions: Models = field(default_factory=dict[str, type[BaseModel]])
    checks: Models = field(default_factory=dict[str, type[BaseModel]])
    guards: Models = field(default_factory=dict[str, type[BaseModel]])
    absent: Mapping[str, str] = field(default_factory=dict[str, str])
    evidence: Mapping[str, Mapping[str, Any]] = field(default_factory=dict[str, Mapping[str, Any]])
