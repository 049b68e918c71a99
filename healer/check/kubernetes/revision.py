"""kubernetes.revision: how old the present revision of a deployment is, and how it differs.

"What changed?" is the first question after an outage; this answers it from the replica sets.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, cast

from healer.check.contract import CheckContext, Kinds
from healer.check.kubernetes.subject import deployment_of, short
from healer.check.param import Params
from healer.client.kubernetes.cluster import Kubernetes
from healer.client.kubernetes.object import Object, ReplicaSet
from healer.client.kubernetes.permission import allow
from healer.client.kubernetes.refusal import NOT_FOUND
from healer.errors import RejectedError
from healer.kit.clock import Clock
from healer.kit.duration import Duration
from healer.model.effect import Permission
from healer.model.outcome import Evidence, Finding

_HISTORY = "deployment.kubernetes.io/revision-history"
_FIELDS = ("image", "command", "args", "resources", "envFrom", "volumeMounts")


class RevisionParams(Params):
    """Up to what age the present revision counts as young: "1h"."""

    young: Duration = timedelta(hours=1)


class Revision:
    """Holds where there is an older revision that a rollback could return to.

    Evidence: revision, previous (its number, 0 without one), age_seconds (of the present revision's
    replica set), young (that age is known and below the parameter), returned (it was taken up again
    by a rollback: the one before it is no way back), changed (what differs from the previous one,
    names and no values: `args`, `env MODEL`).
    """

    name = "kubernetes.revision"
    params = RevisionParams
    evidence = Kinds(
        {
            **dict.fromkeys(("revision", "previous"), int),
            **dict.fromkeys(("young", "returned"), bool),
            "age_seconds": float | None,
            "changed": list[str],
        }
    )

    def __init__(self, kubernetes: Kubernetes, *, clock: Clock) -> None:
        self._workloads = kubernetes.workloads
        self._clock = clock

    def permissions(self, params: RevisionParams, *, namespace: str) -> Sequence[Permission]:
        """Reading the deployment and its replica sets."""
        return (
            *allow(namespace, "deployments", "get"),
            *allow(namespace, "replicasets", "list"),
        )

    async def look(self, params: RevisionParams, ctx: CheckContext) -> Finding:
        """Read both."""
        present, previous = await self._revisions(*deployment_of(ctx))
        evidence = _evidence(present, previous, now=self._clock.now(), young=params.young)
        return Finding(
            check=ctx.id,
            holds=previous is not None,
            summary=_summary(evidence),
            evidence=evidence,
        )

    async def _revisions(
        self, namespace: str, name: str
    ) -> tuple[ReplicaSet | None, ReplicaSet | None]:
        """The present one and the one before it; a deployment that is gone has neither."""
        try:
            deployment = await self._workloads.get(namespace, name)
        except RejectedError as error:
            if error.reason != NOT_FOUND:
                raise
            return None, None
        known = await self._workloads.revisions(namespace, deployment)
        present = next((one for one in known if one.revision == deployment.revision), None)
        older = [one for one in known if 0 < one.revision < deployment.revision]
        return present, older[-1] if older else None


def _evidence(
    present: ReplicaSet | None, previous: ReplicaSet | None, *, now: datetime, young: timedelta
) -> Evidence:
    born = present.metadata.creation_timestamp if present else None
    differs = [] if present is None or previous is None else list(_changes(present, previous))
    return {
        "revision": present.revision if present else 0,
        "previous": previous.revision if previous else 0,
        "young": bool(born and now - born < young),
        "age_seconds": max(0.0, (now - born).total_seconds()) if born else None,
        "returned": bool(present and present.metadata.annotations.get(_HISTORY)),
        "changed": differs,
    }


def _summary(evidence: Evidence) -> str:
    age = evidence["age_seconds"]
    since = f"{age:.0f} s old" if isinstance(age, float) else "of unknown age"
    text = f"revision {evidence['revision']} is {since}"
    if evidence["returned"]:
        text += ", taken up again by a rollback"
    if not evidence["previous"]:
        return f"{text}; there is none before it"
    differs = (
        ", ".join(map(str, cast("list[str]", evidence["changed"]))) or "nothing in its containers"
    )
    return short(f"{text}; from revision {evidence['previous']} differs: {differs}")


def _changes(present: ReplicaSet, previous: ReplicaSet) -> Iterator[str]:
    """Names only: values may be secret."""
    now, before = _containers(present), _containers(previous)
    for name in sorted(now.keys() | before.keys()):
        if name not in now or name not in before:
            yield f"container {name}"
            continue
        yield from (one for one in _FIELDS if now[name].get(one) != before[name].get(one))
        yield from (f"env {one}" for one in _env(now[name], before[name]))


def _containers(found: ReplicaSet) -> Mapping[str, Object]:
    spec: Any = found.spec.template.get("spec") or {}
    containers: list[Object] = spec.get("containers") or []
    return {str(one.get("name")): one for one in containers}


def _env(now: Object, before: Object) -> list[str]:
    new, old = _variables(now), _variables(before)
    return sorted(name for name in new.keys() | old.keys() if new.get(name) != old.get(name))


def _variables(container: Object) -> Mapping[str, Object]:
    found: list[Object] = container.get("env") or []
    return {str(one.get("name")): one for one in found}
