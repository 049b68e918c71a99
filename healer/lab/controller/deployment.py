"""Deployments: one ReplicaSet for each template, and the walk from the old ones to the new."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import orjson

from healer.lab.api.value import clone, dig, fields, section
from healer.lab.contract import Change, Cluster, Object
from healer.lab.controller import progress, rollout
from healer.lab.controller.loop import Controller, Key, itself, key_of, run
from healer.lab.controller.state import (
    Now,
    controller_of,
    is_active,
    is_terminating,
    owned,
    owner_reference,
)

REVISION = "deployment.kubernetes.io/revision"
HISTORY = "deployment.kubernetes.io/revision-history"
HASH = "pod-template-hash"
_NOT_COPIED = frozenset({REVISION, HISTORY, "kubectl.kubernetes.io/last-applied-configuration"})
_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployments:
    """Reconciles one Deployment at a time."""

    cluster: Cluster
    now: Now

    async def run(self) -> None:
        """For ever."""
        watches = {"deployments": itself, "replicasets": _owner, "pods": self._of_pod}
        await run(
            self.cluster,
            Controller(name="deployment", watches=watches, reconcile=self.reconcile),
        )

    async def reconcile(self, key: Key) -> float | None:
        """One step towards the template and the number wanted, then the status."""
        found = self.cluster.get("deployments", *key)
        if found is None or is_terminating(found):
            return None
        sets = sorted(owned(self.cluster, "replicasets", found), key=_revision)
        new = next((one for one in sets if _same_template(found, one)), None)
        paused = bool(dig(found, "spec", "paused"))
        made = new is None and not paused
        if made:
            new = self._create(found, sets)
        elif new is not None:
            new = self._newest(found, new, sets)
        old = [one for one in sets if new is None or key_of(one) != key_of(new)]
        if new is not None:
            self._walk(found, new, old, paused=paused)
            self._tidy(found, old)
        return progress.write(self.cluster, key, now=self.now(), made=made)

    # ------------------------------------------------------------------------------- ReplicaSets

    def _create(self, deployment: Object, sets: list[Object]) -> Object:
        meta, spec = deployment["metadata"], deployment["spec"]
        template = clone(spec["template"])
        code = template_hash(template)
        section(section(template, "metadata"), "labels")[HASH] = code
        selector = clone(spec["selector"])
        section(selector, "matchLabels")[HASH] = code
        revision = str(_next_revision(sets))
        made = self.cluster.create(
            "replicasets",
            {
                "metadata": {
                    "name": self._free_name(meta["namespace"], f"{meta['name']}-{code}"),
                    "namespace": meta["namespace"],
                    "labels": dict(fields(template, "metadata", "labels")),
                    "annotations": _copied(deployment) | {REVISION: revision},
                    "ownerReferences": [owner_reference(deployment)],
                },
                "spec": {
                    "replicas": 0,
                    "minReadySeconds": spec.get("minReadySeconds", 0),
                    "selector": selector,
                    "template": template,
                },
            },
        )
        self._number(deployment, revision)
        return made

    def _free_name(self, namespace: str, name: str) -> str:
        """The name, or one with a suffix where another owner has it."""
        wanted, attempt = name, 0
        while self.cluster.get("replicasets", namespace, wanted) is not None:
            attempt += 1
            wanted = f"{name}-{attempt}"
        return wanted

    def _newest(self, deployment: Object, new: Object, sets: list[Object]) -> Object:
        """The ReplicaSet of the present template gets the highest revision: so undo works."""
        others = [one for one in sets if key_of(one) != key_of(new)]
        revision = _revision(new)
        if any(_revision(one) >= revision for one in others):
            revision = _next_revision(sets)
        text, before = str(revision), str(_revision(new))
        notes = _copied(deployment) | {REVISION: text}

        def write(it: Object) -> None:
            own = section(it["metadata"], "annotations")
            if text != before:  # taken up again: what it was called before is kept
                own[HISTORY] = ",".join(filter(None, (own.get(HISTORY, ""), before)))
            own.update(notes)

        self._number(deployment, text)
        return self.cluster.update("replicasets", *key_of(new), write) or new

    def _number(self, deployment: Object, revision: str) -> None:
        def write(it: Object) -> None:
            section(it["metadata"], "annotations")[REVISION] = revision

        self.cluster.update("deployments", *key_of(deployment), write)

    def _tidy(self, deployment: Object, old: list[Object]) -> None:
        """Forget the oldest templates, once nothing runs of them."""
        keep = dig(deployment, "spec", "revisionHistoryLimit")
        empty = [
            one
            for one in old
            if not dig(one, "spec", "replicas") and not dig(one, "status", "replicas")
        ]
        for one in empty[: max(0, len(empty) - (10 if keep is None else int(keep)))]:
            self.cluster.delete("replicasets", *key_of(one))

    # -------------------------------------------------------------------------------- the rollout

    def _walk(self, deployment: Object, new: Object, old: list[Object], *, paused: bool) -> None:
        limits = rollout.fence(deployment)
        running = [one for one in old if dig(one, "spec", "replicas")]
        if paused:
            if not running:
                self._scale(deployment, new, limits.replicas)
        elif dig(deployment, "spec", "strategy", "type") == "Recreate":
            self._recreate(deployment, new, old)
        else:
            self._roll(deployment, new, running)

    def _recreate(self, deployment: Object, new: Object, old: list[Object]) -> None:
        for one in old:
            self._scale(deployment, one, 0)
        # Terminating pods count too: old and new never run side by side.
        if not any(owned(self.cluster, "pods", one) for one in old):
            self._scale(deployment, new, int(deployment["spec"]["replicas"]))

    def _roll(self, deployment: Object, new: Object, old: list[Object]) -> None:
        limits, fresh = rollout.fence(deployment), self._counted(new)
        before = [self._counted(one) for one in old]
        size = rollout.new_size(limits, fresh, before)
        if size != fresh.wanted:
            self._scale(deployment, new, size)
        fresh = rollout.Set(name=fresh.name, wanted=size, available=fresh.available)
        sizes = rollout.old_sizes(limits, fresh, before)
        for one in old:
            self._scale(deployment, one, sizes[one["metadata"]["name"]])

    def _counted(self, one: Object) -> rollout.Set:
        """The status may lag: available are at most those that are there and are to stay."""
        present = sum(is_active(pod) for pod in owned(self.cluster, "pods", one))
        available = int(dig(one, "status", "availableReplicas") or 0)
        wanted = int(dig(one, "spec", "replicas") or 0)
        return rollout.Set(
            name=one["metadata"]["name"],
            wanted=wanted,
            available=min(available, present, wanted),
            present=present,
        )

    def _scale(self, deployment: Object, one: Object, replicas: int) -> None:
        before = int(dig(one, "spec", "replicas") or 0)
        if before == replicas:
            return
        self.cluster.update(
            "replicasets", *key_of(one), lambda it: it["spec"].update(replicas=replicas)
        )
        way = "up" if replicas > before else "down"
        name = one["metadata"]["name"]
        message = f"Scaled {way} replica set {name} from {before} to {replicas}"
        self.cluster.record(deployment, kind="Normal", reason="ScalingReplicaSet", message=message)

    def _of_pod(self, change: Change) -> tuple[Key, ...]:
        """A pod that ended may be what a Recreate waits for."""
        owner = controller_of(change.object)
        if change.type != "DELETED" or owner is None:
            return ()
        found = self.cluster.get("replicasets", key_of(change.object)[0], str(owner["name"]))
        return () if found is None else _owner(Change(type="MODIFIED", object=found))


def _owner(change: Change) -> tuple[Key, ...]:
    owner = controller_of(change.object)
    if owner is None or owner.get("kind") != "Deployment":
        return ()
    return ((key_of(change.object)[0], str(owner["name"])),)


def _copied(deployment: Object) -> dict[str, str]:
    notes = fields(deployment, "metadata", "annotations")
    return {key: value for key, value in notes.items() if key not in _NOT_COPIED}


def _revision(one: Object) -> int:
    text = str(fields(one, "metadata", "annotations").get(REVISION, "0"))
    return int(text) if text.isdigit() else 0


def _next_revision(sets: list[Object]) -> int:
    return max((_revision(one) for one in sets), default=0) + 1


def template_hash(template: Mapping[str, object]) -> str:
    """Ten letters that stand for a template."""
    digest = hashlib.sha256(orjson.dumps(template, option=orjson.OPT_SORT_KEYS)).digest()
    return "".join(_ALPHABET[byte % len(_ALPHABET)] for byte in digest[:10])


def _same_template(deployment: Object, one: Object) -> bool:
    template = clone(one["spec"]["template"])
    fields(template, "metadata", "labels").pop(HASH, None)
    wanted = clone(deployment["spec"]["template"])
    fields(wanted, "metadata", "labels").pop(HASH, None)
    return template == wanted
