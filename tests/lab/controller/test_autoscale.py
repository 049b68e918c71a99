"""Autoscaling: bounds at once, up at once, down after the window; manual scaling is undone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healer.lab.controller.recommendation import Stabilizer, by_average, by_total
from tests.fakes.apiserver import autoscaler, deployment
from tests.fakes.control import Control

pytestmark = pytest.mark.looptime


async def start(
    control: Control, *, replicas: int = 2, low: int = 1, high: int = 5, window: int = 300
) -> None:
    """A deployment that has come up, and its autoscaler."""
    control.store.create("deployments", deployment(replicas=replicas))
    await control.settle()
    control.store.create("horizontalpodautoscalers", autoscaler(low=low, high=high, window=window))
    await control.settle()


def wanted(control: Control) -> int:
    """The deployment's replicas."""
    return int(control.get("deployments")["spec"]["replicas"])


@pytest.mark.parametrize(("replicas", "then"), [(1, 2), (9, 5), (3, 3)])
async def test_bounds_hold_at_once_even_where_no_metric_is_known(
    control: Control, replicas: int, then: int
) -> None:
    await start(control, replicas=replicas, low=2)
    assert wanted(control) == then


async def test_load_scales_up_at_once_and_never_over_the_maximum(control: Control) -> None:
    control.metrics["queue"] = 20.0
    await start(control)
    assert wanted(control) == 4
    control.metrics["queue"] = 100.0
    await control.settle(16)
    assert wanted(control) == 5
    status = control.get("horizontalpodautoscalers")["status"]
    assert (status["desiredReplicas"], status["lastScaleTime"][:10]) == (5, "2030-01-01")
    assert "SuccessfulRescale" in control.reasons()
    limited = control.condition("ScalingLimited", resource="horizontalpodautoscalers")
    assert limited["reason"] == "TooManyReplicas"


async def test_it_scales_down_only_after_the_window(control: Control) -> None:
    control.metrics["queue"] = 20.0
    await start(control, window=120)
    control.metrics["queue"] = 1.0
    await control.settle(100)
    assert wanted(control) == 4
    await control.settle(60)
    assert wanted(control) == 1


async def test_a_manual_scale_is_undone_within_seconds(control: Control) -> None:
    control.metrics["queue"] = 1.0
    await start(control, replicas=1, high=8)
    await control.settle(330)
    control.change("deployments", replicas=4)
    await control.settle(2)
    assert wanted(control) == 1


async def test_raising_the_minimum_raises_the_replicas(control: Control) -> None:
    await start(control)
    control.change("horizontalpodautoscalers", minReplicas=4)
    await control.settle()
    assert wanted(control) == 4


async def test_a_missing_metric_changes_nothing_and_is_said(control: Control) -> None:
    await start(control)
    await control.settle(400)
    assert wanted(control) == 2
    active = control.condition("ScalingActive", resource="horizontalpodautoscalers")
    assert (active["status"], active["reason"]) == ("False", "FailedGetMetric")


async def test_with_one_metric_missing_the_others_scale_up_but_never_down(
    control: Control,
) -> None:
    body = autoscaler(window=0)
    body["spec"]["metrics"].append(
        {
            "type": "External",
            "external": {"metric": {"name": "lag"}, "target": {"value": "10"}},
        }
    )
    control.store.create("deployments", deployment(replicas=2))
    await control.settle()
    control.store.create("horizontalpodautoscalers", body)
    control.metrics["queue"] = 1.0
    await control.settle(70)
    assert wanted(control) == 2
    control.metrics["queue"] = 15.0
    await control.settle(10)
    assert wanted(control) == 3
    control.metrics |= {"queue": 1.0, "lag": 1.0}
    await control.settle(32)
    assert wanted(control) == 1


async def test_zero_replicas_switch_it_off(control: Control) -> None:
    control.metrics["queue"] = 100.0
    await start(control, replicas=0)
    assert wanted(control) == 0
    active = control.condition("ScalingActive", resource="horizontalpodautoscalers")
    assert active["reason"] == "ScalingDisabled"


# --------------------------------------------------------------------------- the arithmetic alone


@given(st.integers(1, 50), st.floats(0.91, 1.09))
def test_near_the_target_nothing_changes(current: int, ratio: float) -> None:
    assert by_average(current, current, ratio * 10, 10) == current
    assert by_total(current, ratio * 10 * current, 10) == current


@given(st.lists(st.tuples(st.floats(0, 60), st.integers(1, 9)), min_size=1, max_size=20))
def test_a_settled_number_is_never_below_any_of_its_window(steps: list[tuple[float, int]]) -> None:
    stabilizer, now = Stabilizer(), 0.0
    past: list[tuple[float, int]] = []
    for span, value in steps:
        now += span
        past.append((now, value))
        settled = stabilizer.settle(value, current=1, window=100.0, now=now)
        assert settled == max([n for at, n in past if at >= now - 100.0])
