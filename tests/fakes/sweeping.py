"""Pods of the fake lab as the program for disks finds them: one volume, and answers at will."""

import json
from typing import Any

from healer.client.disk.folder import PROGRAM
from tests.fakes.lab import Lab


def share(lab: Lab) -> None:
    """All pods mount one claim."""
    volume = {"name": "ssd", "persistentVolumeClaim": {"claimName": "cache"}}
    for pod in lab.pods:
        lab.change(
            "pods", pod["metadata"]["name"], lambda one: one["spec"].update(volumes=[volume])
        )


def told(**more: Any) -> dict[str, Any]:
    """What the program says."""
    said = {"used_share": 0.75, "total_bytes": 1000, "missing": False}
    return {**said, "items": [], "gone": [], "failed": [], **more}


def says(lab: Lab, answer: object, *, code: int = 0) -> None:
    """From now on every command in a pod answers so, once it was fed the whole program."""
    lab.node.otherwise = ([(1, json.dumps(answer).encode())], code)
    lab.node.awaits = len(PROGRAM)


def orders(lab: Lab) -> list[dict[str, Any]]:
    """What the program was told, by all its runs."""
    return [json.loads(one.command[-1]) for one in lab.node.started]
