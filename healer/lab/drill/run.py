"""One drill: healthy, broken, healed. The order of things, and how long each may take."""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from healer.errors import PermanentError
from healer.lab.access import HEALER
from healer.lab.drill.observer import Observer
from healer.lab.drill.operator import Operator
from healer.lab.drill.report import Report
from healer.lab.drill.scenario import Ending, Scenario
from healer.lab.drill.untouched import differences, moved, take
from healer.lab.drill.written import Writer, written
from healer.lab.remote import Remote
from healer.lab.site import SITES

Say = Callable[[str], None]

HEALTHY_WITHIN = 60.0
HEALED_WITHIN = 240.0
OVER_WITHIN = 120.0
TOLD_WITHIN = 30.0
RIPE_WITHIN = 30.0
BEFORE = timedelta(seconds=5)
"""How much is plotted of the time before the fault."""


async def drill(scenario: Scenario, remote: Remote, *, say: Say) -> Report:
    """Break it and watch; the report says whether it was healed."""
    if scenario.service not in remote.state.services:
        message = f"{scenario.name} needs {scenario.service}, which does not run in this lab"
        raise PermanentError(message)
    if scenario.playbook not in await remote.playbooks():
        log = f"{remote.state.folder}/healer.log"
        message = f"healer has no playbook {scenario.playbook}; why, is in its log ({log})"
        raise PermanentError(message)
    site = SITES[scenario.service]
    await _healthy(scenario, remote)
    if remote.state.dry_run:
        await _settled(scenario, remote)
    say(f"{scenario.service} is healthy. Now {scenario.what}.")
    said = str((await remote.slack())["text"]), str((await remote.pagerduty())["text"])
    struck_at = began_at = datetime.now(UTC)
    before = await take(remote, site) if _files_stay(scenario, remote) else None
    observer = Observer(
        remote, service=scenario.service, playbook=scenario.playbook, since=struck_at, say=say
    )
    operator = Operator(remote, observer, answer=scenario.answer, say=say)
    observer.beside = operator.look
    async with scenario.cause.strike(remote, say=say) as later:
        struck_at = later or struck_at
        if (remote.state.dry_run or scenario.compared) and before is None:
            before = await take(remote, site)
        await _wait(observer, lambda: _decided(observer, scenario), HEALED_WITHIN)
        if scenario.ending is not Ending.HEALED:
            # People take longer than alerts need to ripen. One that fired only after the fault is
            # gone, and its incident closed, would be an incident of its own.
            await _wait(observer, observer.ripe, RIPE_WITHIN)
        after = await take(remote, site) if before else None
        mended_at = datetime.now(UTC)
    await _wait(observer, lambda: _over(observer, scenario), OVER_WITHIN)
    await _wait(observer, observer.told, TOLD_WITHIN)
    return Report(
        scenario=scenario,
        struck_at=struck_at,
        entries=observer.entries,
        slack=_news(said[0], str((await remote.slack())["text"])),
        pagerduty=_news(said[1], str((await remote.pagerduty())["text"])),
        dry_run=remote.state.dry_run,
        factor=remote.state.factor,
        mended_at=mended_at if scenario.cause.lasts else None,
        series=await _series(scenario, remote, struck_at),
        incidents=len(await observer.opened()),
        changes=differences(before, after) if before and after else (),
        moved=moved(before, after) if before and after else (),
        written=written(
            remote.state.audit,
            Writer(
                user=HEALER.user,
                namespace=site.namespace,
                since=began_at,
                rehearses=remote.state.dry_run,
            ),
        ),
    )


def _news(before: str, after: str) -> str:
    """What people were told since: the paragraphs that are new or have grown."""
    known = set(before.split("\n\n"))
    return "\n\n".join(part for part in after.split("\n\n") if part not in known).strip("\n")


async def _series(
    scenario: Scenario, remote: Remote, struck_at: datetime
) -> Sequence[tuple[float, float]]:
    """The telling metric from shortly before the fault until now."""
    if scenario.telling is None:
        return ()
    found = await remote.range(
        scenario.telling.query, start=struck_at - BEFORE, end=datetime.now(UTC)
    )
    return [(at - struck_at.timestamp(), value) for at, value in found]


def _files_stay(scenario: Scenario, remote: Remote) -> bool:
    """A fault that lasts writes no files: look before it strikes. Another is part of the before."""
    return remote.state.dry_run and scenario.cause.lasts


async def _healthy(scenario: Scenario, remote: Remote) -> None:
    """Before anything is broken nothing may be: no alert, and all pods ready and scraped."""
    site = SITES[scenario.service]
    firing = ""
    try:
        async with asyncio.timeout(HEALTHY_WITHIN):
            while True:
                ready = await remote.ready_pods(site.namespace, site.selector)
                scraped = await remote.query(f'sum(up{{service="{site.name}", pod!=""}})')
                alerts = [
                    alert["labels"]["alertname"]
                    for alert in await remote.alerts()
                    if alert["labels"].get("service") == site.name
                ]
                firing = ", ".join(alerts)
                if len(ready) >= site.replicas and scraped == len(ready) and not alerts:
                    return
                await asyncio.sleep(0.2)
    except TimeoutError:
        why = f"alerts: {firing}" if firing else "not all pods are ready and scraped"
        message = f"{site.name} is not healthy, so nothing is broken now ({why})"
        raise PermanentError(message) from None


async def _settled(scenario: Scenario, remote: Remote) -> None:
    """Before a rehearsal the cluster itself must have come to rest: nobody else may write then."""
    site = SITES[scenario.service]
    async with asyncio.timeout(HEALTHY_WITHIN):
        while True:
            scalers = await remote.objects("horizontalpodautoscalers", site.namespace)
            seen = {one.get("status", {}).get("currentReplicas") for one in scalers}
            if seen <= {site.replicas}:
                return
            await asyncio.sleep(0.2)


async def _wait(observer: Observer, done: Callable[[], bool], seconds: float) -> None:
    """Until it is done or the time is up; the report tells which."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await observer.until(done)


def _decided(observer: Observer, scenario: Scenario) -> bool:
    """There is nothing more to wait for while the fault lasts."""
    to_heal = scenario.ending is Ending.HEALED  # a check that lags is looked at again
    return (
        observer.happened("Verified", moment="after", healed=True)
        or (observer.happened("Verified", moment="before", healed=True) and not to_heal)
        or observer.happened("Escalated")
        or observer.happened("NothingMatched")
        or observer.happened("Rehearsed")
        or observer.happened("Closed")
    )


def _over(observer: Observer, scenario: Scenario) -> bool:
    """Closed. A drill that people must end is over only when the mended fault closed it.

    A rehearsal is over when it was said: nobody mends what it leaves as it is.
    """
    unplanned = observer.happened("Escalated") and scenario.ending is Ending.HEALED
    return observer.happened("Closed") or observer.happened("Rehearsed") or unplanned
