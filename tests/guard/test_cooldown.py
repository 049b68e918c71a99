"""A target is left alone for a while after it was acted upon."""

from datetime import timedelta

from healer.guard.cooldown import CooldownGuard, CooldownParams
from healer.model.incident import Incident
from healer.model.outcome import Decision, Verdict
from healer.model.service import Target
from tests.guard.plan import NOW, ago, incident, plan

PARAMS = CooldownParams(after=timedelta(minutes=5))


async def judged(own: Incident, *others: Incident) -> Verdict:
    return await CooldownGuard().judge(PARAMS, plan(own, *others), now=NOW)


async def test_what_was_never_acted_upon_is_allowed() -> None:
    assert (await judged(incident())).decision is Decision.ALLOW


async def test_another_incident_that_acted_on_the_target_holds_until_the_cooldown_is_over() -> None:
    verdict = await judged(incident(), incident("inc-2", acted=(ago(minutes=2),)))
    assert verdict.decision is Decision.HOLD
    assert verdict.until == ago(minutes=2) + timedelta(minutes=5)
    assert "production/deployment/api" in verdict.reason


async def test_an_older_action_or_one_on_another_target_does_not_hold() -> None:
    other = Target(namespace="production", kind="deployment", name="other")
    verdict = await judged(
        incident(),
        incident("inc-2", acted=(ago(minutes=5),)),
        incident("inc-3", acted=(ago(minutes=1),), target=other),
    )
    assert verdict.decision is Decision.ALLOW


async def test_the_round_that_has_begun_is_not_held_by_itself_but_by_the_one_before() -> None:
    assert (await judged(incident(acted=(ago(minutes=1),)))).decision is Decision.ALLOW
    again = incident(acted=(ago(minutes=3), ago(minutes=1)))
    assert (await judged(again)).decision is Decision.HOLD


async def test_a_round_that_only_waited_holds_nobody() -> None:
    waited = incident("inc-2", acted=(ago(minutes=2),), touches=False)
    assert (await judged(incident(), waited)).decision is Decision.ALLOW


async def test_a_round_that_has_only_waited_so_far_is_held_by_the_one_before() -> None:
    waiting = incident(acted=(ago(minutes=1),), touches=False)
    verdict = await judged(waiting, incident("inc-2", acted=(ago(minutes=2),)))
    assert verdict.decision is Decision.HOLD
