"""Ask every guard and take the strictest answer. A guard that fails says HOLD: it fails closed."""

import asyncio
import logging
from collections.abc import Iterable
from datetime import datetime, timedelta

from healer.engine.catalog import Catalog
from healer.errors import HealerError
from healer.guard.contract import Plan
from healer.kit.clock import Clock
from healer.model.effect import Effect
from healer.model.event import Judged
from healer.model.outcome import Decision, Verdict, strictest
from healer.model.playbook import GuardSpec, Mode
from healer.playbook.render import bind
from healer.playbook.scope import Scope

PATIENCE = timedelta(seconds=10)
AGAIN = timedelta(seconds=15)
"""When to ask again after a HOLD that names no time."""

SOONEST = timedelta(seconds=1)
"""However wrong the moment is that a guard names, asking again never becomes a spin."""

_log = logging.getLogger(__name__)


async def judge(plan: Plan, *, catalog: Catalog, clock: Clock, scope: Scope) -> Judged:
    """The verdicts of all guards of the house and of the playbook, and what follows from them."""
    verdicts = [
        await _ask(spec, plan, catalog=catalog, clock=clock, scope=scope)
        for spec in guards_of(plan, catalog)
    ]
    decision = strictest(verdict.decision for verdict in verdicts)
    return Judged(
        step=plan.step.id if plan.step else None, decision=decision, verdicts=tuple(verdicts)
    )


def guards_of(plan: Plan, catalog: Catalog) -> Iterable[GuardSpec]:
    """The house's guards, each replaced by the playbook's own of that name, then the rest."""
    own = {spec.guard: spec for spec in plan.playbook.guards}
    for spec in catalog.house_guards:
        yield own.pop(spec.guard, spec)
    yield from own.values()
    asks = plan.playbook.mode is Mode.APPROVE or plan.effect is Effect.PRIVILEGED
    if asks and "approval" not in own and not catalog.dry_run:
        yield GuardSpec(guard="approval")


def ask_again_at(judged: Judged, now: datetime) -> datetime:
    """When a run that is held may be judged anew: when the last of its holds is over."""
    return max(
        (
            max(verdict.until or now + AGAIN, now + SOONEST)
            for verdict in judged.verdicts
            if verdict.decision is Decision.HOLD
        ),
        default=now + AGAIN,
    )


async def _ask(
    spec: GuardSpec, plan: Plan, *, catalog: Catalog, clock: Clock, scope: Scope
) -> Verdict:
    guard = catalog.guards[spec.guard]
    try:
        params = bind(spec.params, guard.params, scope)
        async with asyncio.timeout(PATIENCE.total_seconds()):
            return await guard.judge(params, plan, now=clock.now())
    except TimeoutError:
        return _closed(spec, f"did not answer within {PATIENCE.seconds} s")
    except (HealerError, ValueError) as error:
        return _closed(spec, str(error))
    except Exception as error:  # noqa: BLE001 - whatever is wrong with a guard, it must not read as "yes"
        _log.exception("guard %s failed", spec.guard)
        return _closed(spec, f"failed: {type(error).__name__}")


def _closed(spec: GuardSpec, reason: str) -> Verdict:
    return Verdict(guard=spec.guard, decision=Decision.HOLD, reason=f"cannot tell: {reason}")
