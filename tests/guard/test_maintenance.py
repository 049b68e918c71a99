"""People are at work there: leave it alone until they are done."""

from datetime import timedelta

from healer.guard.maintenance import Maintenance, MaintenanceGuard, MaintenanceParams
from healer.model.outcome import Decision
from tests.guard.plan import NOW, plan

PLANNED = Maintenance(
    start=NOW, end=NOW + timedelta(hours=1), services=("api",), reason="new disks"
)


async def test_during_maintenance_it_holds_until_its_end() -> None:
    verdict = await MaintenanceGuard([PLANNED]).judge(MaintenanceParams(), plan(), now=NOW)
    assert (verdict.decision, verdict.until) == (Decision.HOLD, PLANNED.end)
    assert "new disks" in verdict.reason


async def test_before_after_and_for_other_services_it_allows() -> None:
    guard = MaintenanceGuard([PLANNED])
    early = await guard.judge(MaintenanceParams(), plan(), now=NOW - timedelta(seconds=1))
    late = await guard.judge(MaintenanceParams(), plan(), now=PLANNED.end)
    other = MaintenanceGuard(
        [Maintenance(start=NOW, end=PLANNED.end, services=("another",))],
    )
    elsewhere = await other.judge(MaintenanceParams(), plan(), now=NOW)
    assert {early.decision, late.decision, elsewhere.decision} == {Decision.ALLOW}
