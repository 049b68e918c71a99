"""What Alertmanager itself says of the incident's alerts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import pytest

from healer.errors import UnavailableError
from healer.guard.firing import FiringParams, SilenceGuard, StillFiringGuard
from healer.model.alert import Fingerprint
from healer.model.outcome import Decision
from tests.fakes.house import alert
from tests.guard.plan import NOW, incident, plan

ALERT = alert()
OWN = replace(incident(), alerts={ALERT.fingerprint: ALERT})


@dataclass
class FakeAlertmanager:
    """Firing alerts, each with the silences that mute it."""

    alerts: dict[Fingerprint, Sequence[str]] = field(
        default_factory=dict[Fingerprint, Sequence[str]]
    )
    away: bool = False

    async def silenced_by(self) -> Mapping[Fingerprint, Sequence[str]]:
        if self.away:
            raise UnavailableError("Alertmanager does not answer")
        return self.alerts


async def test_an_alert_that_alertmanager_still_has_is_firing() -> None:
    guard = StillFiringGuard(FakeAlertmanager({ALERT.fingerprint: ()}))
    assert (await guard.judge(FiringParams(), plan(OWN), now=NOW)).decision is Decision.ALLOW


async def test_an_alert_that_alertmanager_has_no_more_holds() -> None:
    verdict = await StillFiringGuard(FakeAlertmanager()).judge(FiringParams(), plan(OWN), now=NOW)
    assert verdict.decision is Decision.HOLD
    assert "none of its alerts" in verdict.reason


async def test_a_run_that_has_begun_is_not_stopped_halfway_by_its_own_success() -> None:
    begun = replace(incident(acted=(NOW,)), alerts=OWN.alerts)
    guard = StillFiringGuard(FakeAlertmanager())
    assert (await guard.judge(FiringParams(), plan(begun), now=NOW)).decision is Decision.ALLOW


async def test_a_silenced_alert_holds_and_names_the_silence() -> None:
    guard = SilenceGuard(FakeAlertmanager({ALERT.fingerprint: ("5d1c",)}))
    verdict = await guard.judge(FiringParams(), plan(OWN), now=NOW)
    assert verdict.decision is Decision.HOLD
    assert "5d1c" in verdict.reason


async def test_one_alert_that_is_not_silenced_is_enough_to_go_on() -> None:
    other = alert(pod="api-2")
    both = replace(OWN, alerts={ALERT.fingerprint: ALERT, other.fingerprint: other})
    known = FakeAlertmanager({ALERT.fingerprint: ("5d1c",), other.fingerprint: ()})
    verdict = await SilenceGuard(known).judge(FiringParams(), plan(both), now=NOW)
    assert verdict.decision is Decision.ALLOW


async def test_an_alertmanager_that_is_away_is_no_answer_and_the_judge_holds_on_that() -> None:
    with pytest.raises(UnavailableError):
        await SilenceGuard(FakeAlertmanager(away=True)).judge(FiringParams(), plan(OWN), now=NOW)
