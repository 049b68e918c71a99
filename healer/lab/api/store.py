"""The objects of the lab, in memory: what the contract calls `Cluster`.

Rules about what callers may write belong to the REST edge; here is what holds for everybody.
"""

import hashlib
import secrets
import uuid
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Literal

from healer.lab.api.default import fill
from healer.lab.api.failure import already_exists, invalid, required
from healer.lab.api.history import History, Line
from healer.lab.api.resource import BY_PLURAL, Resource
from healer.lab.api.termination import stamp, terminate
from healer.lab.api.value import clone, items, metadata
from healer.lab.contract import Change, Object

Key = tuple[str, str]
_OWN = ("uid", "creationTimestamp", "name", "namespace")
_EVENTS_KEPT = 2000
_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"


def utc_now() -> datetime:
    """The time of the machine."""
    return datetime.now(UTC)


def random_suffix(length: int = 5) -> str:
    """Letters and digits that cannot form words."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


class Store:
    """Keeps objects, versions and history; collects what lost its owner."""

    def __init__(self, *, now: Callable[[], datetime] = utc_now, remember: int = 10_000) -> None:
        self.now = now
        self.history = History(remember=remember)
        self._objects: dict[str, dict[Key, Object]] = {plural: {} for plural in BY_PLURAL}

    # ------------------------------------------------------------------- what the contract asks

    def get(self, resource: str, namespace: str, name: str) -> Object | None:
        """A copy of the object, or None."""
        found = self._objects[resource].get((namespace, name))
        return None if found is None else clone(found)

    def list(self, resource: str, namespace: str | None = None) -> "list[Object]":
        """Copies of all objects, ordered by namespace and name."""
        found = sorted(self._objects[resource].items())
        return [clone(obj) for key, obj in found if namespace in {None, key[0]}]

    def create(self, resource: str, obj: Object, *, dry_run: bool = False) -> Object:
        """Store it as a new object, or only say what it would be."""
        kind = BY_PLURAL[resource]
        new = self._born(kind, obj)
        meta = new["metadata"]
        key = (str(meta.get("namespace", "")), str(meta["name"]))
        if key in self._objects[resource]:
            raise already_exists(kind, key[1])
        if not dry_run:
            self._objects[resource][key] = new
            self._tell("ADDED", resource, new)
            self._bound_events(resource)
        return clone(new)

    def update(
        self,
        resource: str,
        namespace: str,
        name: str,
        change: Callable[[Object], None],
        *,
        dry_run: bool = False,
    ) -> Object | None:
        """Let `change` mutate the object, or only say what it would be. None: gone."""
        stored = self._objects[resource].get((namespace, name))
        if stored is None:
            return None
        new = clone(stored)
        change(new)
        self._grown(BY_PLURAL[resource], stored, new)
        if new == stored or dry_run:
            return new
        self._objects[resource][namespace, name] = new
        self._tell("MODIFIED", resource, new, before=stored)
        if "deletionTimestamp" in new["metadata"] and self._released(resource, stored, new):
            self.delete(resource, namespace, name)
        return clone(new)

    def delete(self, resource: str, namespace: str, name: str) -> None:
        """Remove it now and for good, and what only it owned."""
        gone = self._objects[resource].pop((namespace, name), None)
        if gone is None:
            return
        last = clone(gone)
        self._tell("DELETED", resource, last, before=gone)
        self._collect(str(gone["metadata"]["uid"]))

    async def watch(self, resource: str) -> AsyncIterator[Change]:
        """First all there is, as ADDED; then every change, in order, for ever."""
        with self.history.listening(resource, self.history.version) as lines:
            for obj in self.list(resource):
                yield Change(type="ADDED", object=obj)
            while True:
                change = (await lines.get()).change
                yield Change(type=change.type, object=clone(change.object))

    def record(self, about: Object, *, kind: str, reason: str, message: str) -> None:
        """Write an Event about `about`, or raise the count of the same one."""
        meta = about["metadata"]
        identity = f"{meta.get('uid')}/{kind}/{reason}/{message}"
        digest = hashlib.sha256(identity.encode()).hexdigest()[:16]
        space, name = meta.get("namespace") or "default", f"{meta['name']}.{digest}"
        at = stamp(self.now())

        def again(event: Object) -> None:
            event["count"] += 1
            event["lastTimestamp"] = at

        if self.update("events", space, name, again) is None:
            event = {
                "metadata": {"name": name, "namespace": space},
                "involvedObject": reference(about),
                "type": kind,
                "reason": reason,
                "message": message,
                "count": 1,
                "firstTimestamp": at,
                "lastTimestamp": at,
                "eventTime": None,
                "source": {"component": "lab"},
                "reportingComponent": "lab",
                "reportingInstance": "",
            }
            self.create("events", event)

    # --------------------------------------------------------------------------------- its inside

    def _born(self, kind: Resource, obj: Object) -> Object:
        new = {"kind": kind.kind, "apiVersion": kind.api_version} | clone(obj)
        meta = metadata(new)
        if not meta.get("name"):
            if not meta.get("generateName"):
                fault = required("metadata.name", "name or generateName is required")
                raise invalid(kind.kind, "", [fault], group=kind.group)
            meta["name"] = f"{meta['generateName']}{random_suffix()}"
        if kind.namespaced:
            meta.setdefault("namespace", "default")
        else:
            meta.pop("namespace", None)
        for foreign in ("resourceVersion", "managedFields", "selfLink", "deletionTimestamp"):
            meta.pop(foreign, None)
        meta["uid"] = str(uuid.uuid4())
        meta["creationTimestamp"] = stamp(self.now())
        if kind.generation:
            meta["generation"] = 1
        fill(kind, new)
        return new

    def _grown(self, kind: Resource, stored: Object, new: Object) -> None:
        """Keep what nobody may change, and count changes of the wish."""
        before, after = stored["metadata"], metadata(new)
        after.update({key: before[key] for key in _OWN if key in before})
        after["resourceVersion"] = before["resourceVersion"]
        if kind.generation:
            grown = before.get("generation", 1)
            after["generation"] = grown + (stored.get("spec") != new.get("spec"))

    def _released(self, resource: str, stored: Object, new: Object) -> bool:
        """Whether the last thing that held a dying object has let go."""
        held = items(stored, "metadata", "finalizers")
        return resource != "pods" and bool(held) and not items(new, "metadata", "finalizers")

    def _tell(
        self,
        kind: Literal["ADDED", "MODIFIED", "DELETED"],
        resource: str,
        obj: Object,
        *,
        before: Object | None = None,
    ) -> None:
        version = self.history.version + 1
        obj["metadata"]["resourceVersion"] = str(version)
        change = Change(type=kind, object=obj)
        self.history.add(Line(version=version, resource=resource, change=change, before=before))

    def _collect(self, uid: str) -> None:
        """Remove what was owned by the object of that uid and by nothing else."""
        for plural, found in self._objects.items():
            if plural == "events":
                continue
            for obj in tuple(found.values()):
                owners = items(obj, "metadata", "ownerReferences")
                if any(one.get("uid") == uid for one in owners):
                    self._disown(plural, obj, uid)

    def _disown(self, plural: str, obj: Object, uid: str) -> None:
        meta = obj["metadata"]
        space, name = meta.get("namespace", ""), meta["name"]
        left = [one for one in items(meta, "ownerReferences") if one.get("uid") != uid]
        if left:
            self.update(plural, space, name, lambda it: it["metadata"].update(ownerReferences=left))
        elif plural == "pods":
            terminate(self, obj, now=self.now())
        else:
            self.delete(plural, space, name)

    def _bound_events(self, resource: str) -> None:
        events = self._objects["events"]
        if resource == "events" and len(events) > _EVENTS_KEPT:
            self.delete("events", *next(iter(events)))


def reference(obj: Object) -> Object:
    """An ObjectReference to an object."""
    meta = obj["metadata"]
    found = {
        "kind": obj.get("kind"),
        "namespace": meta.get("namespace"),
        "name": meta["name"],
        "uid": meta.get("uid"),
        "apiVersion": obj.get("apiVersion"),
        "resourceVersion": meta.get("resourceVersion"),
    }
    return {key: value for key, value in found.items() if value is not None}
