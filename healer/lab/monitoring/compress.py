"""Time compressed: the shipped rules and routes, unchanged but for their durations. Pure.

A drill must show within seconds what takes minutes on call. So that it shows the same rules, only
durations are divided, and only the values of named thresholds and the receiver's address replaced.
"""

import copy
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from healer.lab.monitoring.duration import PATTERN, shorten

Threshold = tuple[str, str]
"""The name of a threshold's series and the service it is for."""

QUOTED = r"\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'|`[^`]*`"
IN_BRACKETS = re.compile(rf"(?P<text>{QUOTED})|\[(?P<range>{PATTERN})(?::(?P<step>{PATTERN})?)?\]")
AFTER_OFFSET = re.compile(rf"(?P<text>{QUOTED})|(?P<word>\boffset\s+-?)(?P<range>{PATTERN})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Compression:
    """By how much time is compressed, and how far at most; floors are in seconds."""

    factor: float
    range_floor: float = 4.0
    """For ranges in PromQL: four scrape intervals, or rates see too few samples."""
    interval_floor: float = 1.0
    """For how often groups are evaluated and for the waits of Alertmanager."""
    hold_floor: float = 1.0
    """For how long an alert must hold."""
    thresholds: Mapping[Threshold, float] = field(default_factory=dict[Threshold, float])

    def __post_init__(self) -> None:
        if self.factor < 1:
            raise ValueError(f"time can be compressed by a factor of 1 or more, not {self.factor}")


def rules(text: str, by: Compression) -> str:
    """A file of Prometheus rules with its time compressed."""
    return _dump(rule_file(yaml.safe_load(text), by))


def rule_file(shipped: dict[str, Any], by: Compression) -> dict[str, Any]:
    """The same, on objects."""
    found = copy.deepcopy(shipped)
    for group in found["groups"]:
        if "interval" in group:
            group["interval"] = _interval(group["interval"], by)
        for rule in group["rules"]:
            _compress(rule, by)
    return found


def _compress(rule: dict[str, Any], by: Compression) -> None:
    for key in ("for", "keep_firing_for"):
        if key in rule:
            rule[key] = shorten(str(rule[key]), factor=by.factor, floor=by.hold_floor)
    service = rule.get("labels", {}).get("service", "")
    threshold = by.thresholds.get((rule.get("record", ""), service))
    if threshold is None:
        rule["expr"] = expression(str(rule["expr"]), by)
    else:
        rule["expr"] = f"vector({threshold:g})"


def expression(promql: str, by: Compression) -> str:
    """PromQL with its ranges, subqueries and offsets compressed; what is quoted stays."""

    def bracket(match: re.Match[str]) -> str:
        if match["text"]:
            return match[0]
        long = shorten(match["range"], factor=by.factor, floor=by.range_floor)
        if ":" not in match[0]:
            return f"[{long}]"
        return f"[{long}:{_interval(match['step'], by) if match['step'] else ''}]"

    def offset(match: re.Match[str]) -> str:
        if match["text"]:
            return match[0]
        return match["word"] + shorten(match["range"], factor=by.factor, floor=0)

    return AFTER_OFFSET.sub(offset, IN_BRACKETS.sub(bracket, promql))


def unknown_thresholds(shipped: list[dict[str, Any]], by: Compression) -> list[Threshold]:
    """Thresholds that no rule records: a misspelt name would otherwise change nothing."""
    known = {
        (rule.get("record"), rule.get("labels", {}).get("service"))
        for file in shipped
        for group in file["groups"]
        for rule in group["rules"]
    }
    return sorted(set(by.thresholds) - known)


def routes(text: str, by: Compression, *, url: str, credentials_file: str) -> str:
    """Alertmanager's configuration with its waits compressed and the webhook's place filled in."""
    return _dump(routing(yaml.safe_load(text), by, url=url, credentials_file=credentials_file))


def routing(
    shipped: dict[str, Any], by: Compression, *, url: str, credentials_file: str
) -> dict[str, Any]:
    """The same, on objects."""
    found = copy.deepcopy(shipped)
    _shorten_waits(found["route"], by)
    for receiver in found["receivers"]:
        for webhook in receiver.get("webhook_configs", []):
            webhook["url"] = url
            webhook["http_config"]["authorization"]["credentials_file"] = credentials_file
    return found


def _shorten_waits(route: dict[str, Any], by: Compression) -> None:
    for key in ("group_wait", "group_interval", "repeat_interval"):
        if key in route:
            route[key] = _interval(route[key], by)
    for child in route.get("routes", []):
        _shorten_waits(child, by)


def _interval(written: str, by: Compression) -> str:
    return shorten(written, factor=by.factor, floor=by.interval_floor)


def _dump(found: dict[str, Any]) -> str:
    return yaml.safe_dump(found, sort_keys=False, width=100)
