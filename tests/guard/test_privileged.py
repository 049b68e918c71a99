"""What is privileged is off until the service's configuration switches it on."""

from dataclasses import replace

import pytest

from healer.guard.privileged import PrivilegedGuard, PrivilegedParams
from healer.model.outcome import Decision, Verdict
from tests.fakes.clock import START
from tests.guard.plan import plan

GUARD, PARAMS = PrivilegedGuard(), PrivilegedParams()


async def judged(*wanted: str, on: frozenset[str] = frozenset()) -> Verdict:
    asked = plan()
    service = replace(asked.service, privileged=on)
    return await GUARD.judge(
        PARAMS, replace(asked, service=service, privileged=frozenset(wanted)), now=START
    )


async def test_what_is_not_privileged_is_nothing_to_it() -> None:
    assert (await judged()).decision is Decision.ALLOW


async def test_what_is_privileged_is_denied_and_the_line_that_would_allow_it_is_told() -> None:
    verdict = await judged("kubernetes.remount")
    assert verdict.decision is Decision.DENY
    assert "`privileged: [kubernetes.remount]`" in verdict.reason


async def test_what_is_switched_on_is_allowed() -> None:
    verdict = await judged("kubernetes.remount", on=frozenset({"kubernetes.remount"}))
    assert verdict.decision is Decision.ALLOW


@pytest.mark.parametrize("on", [frozenset[str](), frozenset({"kubernetes.remount"})])
async def test_one_that_is_on_does_not_switch_another_on(on: frozenset[str]) -> None:
    verdict = await judged("kubernetes.remount", "volume.format", on=on)
    assert verdict.decision is Decision.DENY
    assert "volume.format" in verdict.reason
