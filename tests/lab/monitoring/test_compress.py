"""Compression changes durations, named thresholds and the webhook's place; nothing else."""

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from healer.lab.monitoring import compress
from healer.lab.monitoring.compress import Compression
from healer.lab.monitoring.duration import parse

SHIPPED = Path(__file__).parents[3] / "alertmanager"
RULES = sorted((SHIPPED / "rules").glob("*.yml"))
LOW = ("threshold:ssd_free_gb:low", "llm-inference")


@pytest.mark.parametrize(
    ("shipped", "compressed"),
    [
        ("rate(x[5m])", "rate(x[5s])"),
        ("rate(x[30s])", "rate(x[4s])"),
        ("max_over_time(rate(x[10m])[1h:2m])", "max_over_time(rate(x[10s])[1m:2s])"),
        ("max_over_time(x[1h:])", "max_over_time(x[1m:])"),
        ("x offset 5m", "x offset 5s"),
        ("x offset -10m", "x offset -10s"),
        ('x{a="[5m] offset 5m"}[5m]', 'x{a="[5m] offset 5m"}[5s]'),
        (r'x{a="\"[5m]"}', r'x{a="\"[5m]"}'),
        ("x{a='[5m]'} > 300", "x{a='[5m]'} > 300"),
    ],
)
def test_only_durations_of_promql_are_divided(shipped: str, compressed: str) -> None:
    assert compress.expression(shipped, Compression(factor=60)) == compressed


@pytest.mark.parametrize("path", RULES, ids=lambda path: path.name)
def test_the_shipped_rules_keep_everything_but_durations(path: Path) -> None:
    shipped = yaml.safe_load(path.read_text())
    compressed = yaml.safe_load(compress.rules(path.read_text(), Compression(factor=60)))
    assert without_durations(compressed) == without_durations(shipped)


def test_holding_times_and_evaluation_are_divided_down_to_their_floors() -> None:
    by = Compression(factor=60, hold_floor=2, interval_floor=1)
    found = compress.rule_file(
        {
            "groups": [
                {
                    "name": "g",
                    "interval": "15s",
                    "rules": [
                        {"alert": "A", "expr": "x", "for": "5m", "keep_firing_for": "1m"},
                    ],
                }
            ]
        },
        by,
    )
    group = found["groups"][0]
    assert group["interval"] == "1s"
    assert group["rules"][0] == {"alert": "A", "expr": "x", "for": "5s", "keep_firing_for": "2s"}


def test_a_named_threshold_gets_the_given_value_and_its_neighbour_keeps_its_own() -> None:
    by = Compression(factor=1, thresholds={LOW: 0.06})
    text = (SHIPPED / "rules" / "thresholds.yml").read_text()
    found = yaml.safe_load(compress.rules(text, by))
    values = {rule["record"]: rule["expr"] for rule in found["groups"][0]["rules"]}
    assert values["threshold:ssd_free_gb:low"] == "vector(0.06)"
    assert values["threshold:ssd_free_gb:critical"] == "vector(10)"


def test_a_threshold_that_no_rule_records_is_found_out() -> None:
    files = [yaml.safe_load(path.read_text()) for path in RULES]
    by = Compression(factor=1, thresholds={LOW: 1, ("threshold:typo", "x"): 2})
    assert compress.unknown_thresholds(files, by) == [("threshold:typo", "x")]


def test_the_routes_keep_everything_but_waits_address_and_credentials() -> None:
    text = (SHIPPED / "alertmanager.yml").read_text()
    found = yaml.safe_load(
        compress.routes(
            text, Compression(factor=60), url="http://127.0.0.1:1/w", credentials_file="/t"
        )
    )
    webhook = found["receivers"][0]["webhook_configs"][0]
    assert webhook["url"] == "http://127.0.0.1:1/w"
    assert webhook["http_config"]["authorization"]["credentials_file"] == "/t"
    assert found["route"]["group_wait"] == "1s"
    assert found["route"]["repeat_interval"] == "4m"
    expected = yaml.safe_load(text)
    for key in ("group_wait", "group_interval", "repeat_interval"):
        expected["route"][key] = found["route"][key]
    shipped = expected["receivers"][0]["webhook_configs"][0]
    shipped["url"] = webhook["url"]
    shipped["http_config"]["authorization"]["credentials_file"] = "/t"
    assert found == expected


@given(st.floats(min_value=1, max_value=1000), st.integers(min_value=1, max_value=100_000))
def test_no_duration_grows_and_none_falls_under_its_floor(factor: float, seconds: int) -> None:
    by = Compression(factor=factor, range_floor=4)
    found = compress.expression(f"rate(x[{seconds}s])", by)
    compressed = parse(found.removeprefix("rate(x[").removesuffix("])"))
    assert min(4, seconds) <= compressed <= seconds


def test_time_cannot_be_stretched() -> None:
    with pytest.raises(ValueError, match="factor of 1 or more"):
        Compression(factor=0.5)


def without_durations(file: dict[str, Any]) -> dict[str, Any]:
    found = copy.deepcopy(file)
    for group in found["groups"]:
        group.pop("interval", None)
        for rule in group["rules"]:
            rule.pop("for", None)
            rule["expr"] = compress.IN_BRACKETS.sub("[]", str(rule["expr"]))
    return found
