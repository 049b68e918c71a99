"""Whether really nothing was changed: objects by resourceVersion, and the files of the volume."""

from collections.abc import Mapping
from dataclasses import dataclass

from healer.lab.contract import Object
from healer.lab.remote import Remote
from healer.lab.site import Site

WATCHED = (
    "deployments",
    "horizontalpodautoscalers",
    "poddisruptionbudgets",
    "configmaps",
    "persistentvolumeclaims",
    "pods",
    "certificates",
    "secrets",
)
FOLDERS = "cache models backups hub logs checkpoints data"
FILES = f"cd /mnt/ssd && find {FOLDERS} -type f -printf '%p %s %T@\\n' 2>/dev/null | sort"


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A service at one moment."""

    objects: Mapping[str, Object]
    files: frozenset[str]


async def take(remote: Remote, site: Site) -> Snapshot:
    """Look at everything that a remedy could change."""
    objects: dict[str, Object] = {}
    for plural in WATCHED:
        for obj in await remote.objects(plural, site.namespace):
            objects[f"{plural}/{obj['metadata']['name']}"] = obj
    pods = await remote.ready_pods(site.namespace, site.selector)
    listed = await remote.run_in(site.namespace, pods[0], ["sh", "-c", FILES])
    return Snapshot(objects=objects, files=frozenset(listed.output.splitlines()))


def differences(before: Snapshot, after: Snapshot) -> list[str]:
    """What was changed, a line each.

    What the cluster itself reports (an object's status) may move during a drill; a change of
    anything else means that somebody wrote.
    """
    found = [f"{name} is gone" for name in sorted(before.objects.keys() - after.objects.keys())]
    found += [f"{name} is new" for name in sorted(after.objects.keys() - before.objects.keys())]
    for name in sorted(before.objects.keys() & after.objects.keys()):
        old, new = before.objects[name], after.objects[name]
        if _version(old) != _version(new) and _written(old) != _written(new):
            found.append(f"{name} was changed ({_version(old)} to {_version(new)})")
    gone, fresh = before.files - after.files, after.files - before.files
    found += [f"file {line} is gone or changed" for line in sorted(gone)]
    found += [f"file {line} is new" for line in sorted(fresh)]
    return found


def moved(before: Snapshot, after: Snapshot) -> list[str]:
    """Objects whose resourceVersion is another one, for whatever reason."""
    both = before.objects.keys() & after.objects.keys()
    return sorted(
        name for name in both if _version(before.objects[name]) != _version(after.objects[name])
    )


def _version(obj: Object) -> str:
    return str(obj["metadata"]["resourceVersion"])


def _written(obj: Object) -> Object:
    """What users write: all but the status."""
    meta = {key: value for key, value in obj["metadata"].items() if key != "resourceVersion"}
    return {**{key: obj[key] for key in obj if key != "status"}, "metadata": meta}
