"""Who wanted to change what, a line each, in the form of Kubernetes' own audit log.

As by a policy that leaves out what only reads: who watches a drill from outside sees there that
nothing was written, whatever the record of healer says.
"""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from aiohttp import web

from healer.lab.api.rbac import Identity
from healer.lab.api.target import Target

_READS = frozenset({"get", "list", "watch"})


class Audit:
    """Appends to a file; what is asked for counts, whether or not it is then allowed."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        if path is not None:
            path.touch()  # that nobody wrote is known by an empty log, not by none

    def note(self, who: Identity, target: Target, request: web.Request) -> None:
        """Write it down if it may change something; a command in a pod may, whatever its verb."""
        reads = target.verb in _READS and target.part != "exec"
        if self._path is None or reads or not target.is_resource:
            return
        with self._path.open("a") as file:
            file.write(json.dumps(_event(who, target, request)) + "\n")


def _event(who: Identity, target: Target, request: web.Request) -> dict[str, Any]:
    """An Event of audit.k8s.io/v1 at level Metadata (kubernetes.io: Auditing)."""
    about = {
        "resource": target.plural,
        "namespace": target.namespace,
        "name": target.name,
        "apiGroup": target.group,
        "apiVersion": target.version,
        "subresource": target.part,
    }
    return {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "Metadata",
        "auditID": str(uuid4()),
        "stage": "RequestReceived",
        "requestURI": request.path_qs,
        "verb": target.verb,
        "user": {"username": who.user, "groups": sorted(who.groups)},
        "objectRef": {key: value for key, value in about.items() if value},
        "requestReceivedTimestamp": datetime.now(UTC).isoformat(timespec="microseconds"),
    }
