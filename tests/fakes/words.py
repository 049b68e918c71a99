"""A small vocabulary for tests: actions, checks and guards that exist only as parameters."""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from healer.kit.duration import Duration
from healer.playbook.vocabulary import Vocabulary

_FORBID = ConfigDict(extra="forbid")


class Query(BaseModel):
    """Of a check."""

    model_config = _FORBID
    query: str


class Cache(BaseModel):
    """Of a check and an action."""

    model_config = _FORBID
    older_than: Duration


class Scale(BaseModel):
    """Of an action; one of two fields must be given."""

    model_config = _FORBID
    replicas: int | None = Field(default=None, ge=0, le=50)
    by: int | None = None
    through: Literal["hpa", "workload"] = "workload"

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.replicas is None) == (self.by is None):
            message = "give either `replicas` or `by`"
            raise ValueError(message)
        return self


class Key(BaseModel):
    """A part of another."""

    model_config = _FORBID
    name: str
    value: str


class Patch(BaseModel):
    """Of an action; holds a list of parts."""

    model_config = _FORBID
    config_map: str
    keys: list[Key] = Field(min_length=1)


class Cooldown(BaseModel):
    """Of a guard."""

    model_config = _FORBID
    after: Duration


class Nothing(BaseModel):
    """No parameters at all."""

    model_config = _FORBID


WORDS = Vocabulary(
    actions={
        "inference.cache-evict": Cache,
        "kubernetes.scale": Scale,
        "kubernetes.patch-configmap": Patch,
        "kubernetes.restart": Nothing,
    },
    checks={"prometheus.query": Query, "inference.cache": Cache, "kubernetes.pods": Nothing},
    guards={"cooldown": Cooldown, "still-firing": Nothing},
)
