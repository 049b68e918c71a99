"""So many rounds, on so much of the fleet, and not one more under any interleaving."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healer.guard.budget import BudgetGuard, BudgetParams
from healer.model.outcome import Decision
from healer.model.service import Target
from tests.guard.plan import NOW, ago, incident, plan

PARAMS = BudgetParams(limit=2, window=timedelta(hours=1), fleet_share=0.5)
GUARD = BudgetGuard(fleet=4)


def elsewhere(name: str) -> Target:
    return Target(namespace="production", kind="deployment", name=name)


async def test_below_the_limit_is_allowed() -> None:
    verdict = await GUARD.judge(PARAMS, plan(incident(), incident("b", acted=(NOW,))), now=NOW)
    assert verdict.decision is Decision.ALLOW


async def test_at_the_limit_it_holds_until_the_oldest_round_leaves_the_window() -> None:
    others = (incident("b", acted=(ago(minutes=50),)), incident("c", acted=(ago(minutes=10),)))
    verdict = await GUARD.judge(PARAMS, plan(incident(), *others), now=NOW)
    assert verdict.decision is Decision.HOLD
    assert verdict.until == ago(minutes=50) + timedelta(hours=1)
    assert "2 of 2" in verdict.reason


async def test_its_own_round_is_not_charged_twice() -> None:
    own = incident(acted=(ago(minutes=1),))
    verdict = await GUARD.judge(PARAMS, plan(own, incident("b", acted=(NOW,))), now=NOW)
    assert verdict.decision is Decision.ALLOW


async def test_a_round_that_has_only_waited_so_far_is_asked_like_one_that_has_not_begun() -> None:
    waiting = incident(acted=(ago(minutes=1),), touches=False)
    busy = tuple(
        incident(f"inc-{name}", acted=(NOW,), target=elsewhere(name)) for name in ("b", "c")
    )
    verdict = await GUARD.judge(PARAMS, plan(waiting, *busy), now=NOW)
    assert verdict.decision is Decision.HOLD
    assert "2 of at most 2" in verdict.reason


@pytest.mark.parametrize(
    ("busy", "decision"),
    [
        pytest.param(1, Decision.ALLOW, id="a quarter of the fleet"),
        pytest.param(2, Decision.HOLD, id="half of the fleet"),
    ],
)
async def test_only_a_share_of_the_fleet_is_acted_upon_at_once(
    busy: int, decision: Decision
) -> None:
    others = [
        incident(f"o{number}", acted=(NOW,), target=elsewhere(f"o{number}"))
        for number in range(busy)
    ]
    verdict = await GUARD.judge(PARAMS, plan(incident(), *others), now=NOW)
    assert verdict.decision is decision


@given(st.lists(st.integers(min_value=0, max_value=7200), max_size=40))
async def test_whatever_was_done_before_the_window_never_holds_more_than_the_limit(
    wishes: list[int],
) -> None:
    """Rounds begin only when allowed: in no hour are there more than two."""
    done: list[datetime] = []
    now = NOW
    for wish in wishes:
        now += timedelta(seconds=wish)
        others = [incident(f"i{number}", acted=(at,)) for number, at in enumerate(done)]
        verdict = await GUARD.judge(PARAMS, plan(incident("me"), *others), now=now)
        if verdict.decision is Decision.ALLOW:
            done.append(now)
        recent = [at for at in done if at > now - PARAMS.window]
        assert len(recent) <= PARAMS.limit
