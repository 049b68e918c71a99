"""Playbooks with their time compressed like that of rules and routes: only durations differ. Pure.

Ages of things that are really old (`older_than`) and thresholds stay. What waits for real work,
such as a pod that starts, keeps a floor: a processor cannot be compressed.
"""

import copy
import re
from collections.abc import Mapping, Set
from typing import Any

import yaml

from healer.lab.monitoring.compress import Compression, expression
from healer.lab.monitoring.duration import PATTERN, shorten

WORK_FLOOR = 60.0
"""Seconds that a step and a verification keep at least."""
WAIT_FLOOR = 10.0
"""Seconds that a step keeps at least which only waits, for what the servers do by themselves."""
PATIENCE = 2 * WORK_FLOOR
"""Seconds that an escalation keeps at least: two rounds must have room before it."""

VERIFY = {"for": "1m", "timeout": "5m", "every": "15s", "watch": "30m"}
"""What holds where a playbook says nothing."""
UPDATE = "15m"
STEP = "1m"


def playbook(text: str, by: Compression) -> str:
    """A file of a playbook with its time compressed."""
    return yaml.safe_dump(compressed(yaml.safe_load(text), by), sort_keys=False, width=100)


def concerns(text: str, services: Set[str]) -> bool:
    """Whether a playbook is for any of these services; one that names none is for all."""
    named = yaml.safe_load(text)["spec"].get("services") or services
    return bool(services & set(named))


def compressed(shipped: dict[str, Any], by: Compression) -> dict[str, Any]:
    """The same, on objects."""
    found = copy.deepcopy(shipped)
    spec = found["spec"]
    for guard in spec.get("guards", []):
        guard["with"] = _durations(guard.get("with", {}), by)
    for check in spec.get("diagnose", []):
        check["with"] = _check(check.get("with", {}), by)
    for remedy in spec.get("remedies", []):
        for step in remedy.get("steps", []):
            _step(step, by)
    verify = spec["verify"] = {**VERIFY, **spec["verify"]}
    for key in ("for", "every", "watch"):
        verify[key] = _shorter(verify[key], by)
    verify["timeout"] = _work(verify["timeout"], by)
    escalate = spec["escalate"] = {"update_every": UPDATE, **spec.get("escalate", {})}
    escalate["update_every"] = _work(escalate["update_every"], by)
    if "after" in escalate:
        escalate["after"] = shorten(str(escalate["after"]), factor=by.factor, floor=PATIENCE)
    return found


def _step(step: dict[str, Any], by: Compression) -> None:
    waits = str(step["action"]).startswith("flow.")
    floor = WAIT_FLOOR if waits else WORK_FLOOR
    step["timeout"] = shorten(str(step.get("timeout", STEP)), factor=by.factor, floor=floor)
    if waits:
        step["with"] = _wait(step.get("with", {}), by)


def _check(params: Mapping[str, Any], by: Compression) -> dict[str, Any]:
    found = dict(params)
    if "query" in found:
        found["query"] = expression(str(found["query"]), by)
    if "over" in found:
        found["over"] = shorten(str(found["over"]), factor=by.factor, floor=by.range_floor)
    if "step" in found:
        found["step"] = _shorter(found["step"], by)
    return found


def _wait(params: Mapping[str, Any], by: Compression) -> dict[str, Any]:
    """Of a step that waits; it may wait for the answer to a query."""
    found = _durations(params, by)
    if "query" in found:
        found["query"] = expression(str(found["query"]), by)
    return found


def _durations(params: Mapping[str, Any], by: Compression) -> dict[str, Any]:
    """Everything that is written as a duration."""
    return {
        key: _shorter(value, by)
        if isinstance(value, str) and re.fullmatch(PATTERN, value)
        else value
        for key, value in params.items()
    }


def _shorter(written: object, by: Compression) -> str:
    return shorten(str(written), factor=by.factor, floor=by.hold_floor)


def _work(written: object, by: Compression) -> str:
    return shorten(str(written), factor=by.factor, floor=WORK_FLOOR)
