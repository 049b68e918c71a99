"""How much an action can hurt, and the rights it needs. Both are known before it runs."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Effect(StrEnum):
    """From harmless to privileged: that needs rights beyond a service's own, or may lose data, so
    it is off until switched on, and approved by a person each time.
    """

    NONE = "none"
    REVERSIBLE = "reversible"
    DISRUPTIVE = "disruptive"
    PRIVILEGED = "privileged"


_WEIGHT = (Effect.NONE, Effect.REVERSIBLE, Effect.DISRUPTIVE, Effect.PRIVILEGED)


def strongest(effects: Iterable[Effect]) -> Effect:
    """The one to be careful about."""
    return max(effects, key=_WEIGHT.index, default=Effect.NONE)


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Permission:
    """One right in the Kubernetes API: a verb on a resource, `names` empty for all objects."""

    group: str
    resource: str
    verb: str
    namespace: str = ""
    names: tuple[str, ...] = ()
