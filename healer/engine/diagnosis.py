"""Ask the read-only checks, side by side, each with a deadline. A check that fails is a finding."""

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import timedelta

from healer.check.contract import CheckContext
from healer.engine.catalog import Catalog
from healer.errors import PermanentError, TemporaryError
from healer.model.incident import Incident
from healer.model.outcome import Finding
from healer.model.playbook import CheckSpec
from healer.model.service import Service, Target
from healer.playbook.render import bind
from healer.playbook.scope import Scope

_log = logging.getLogger(__name__)

PATIENCE = timedelta(seconds=20)
"""How long one check may take: long enough for a slow query, short enough not to stall a cure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patient:
    """For whom the checks look."""

    incident: Incident
    service: Service
    target: Target


async def look(
    specs: Iterable[CheckSpec], *, patient: Patient, scope: Scope, catalog: Catalog
) -> tuple[Finding, ...]:
    """One finding for each check, in the order of the playbook."""
    async with asyncio.TaskGroup() as group:
        looking = [
            group.create_task(_look_once(spec, patient=patient, scope=scope, catalog=catalog))
            for spec in specs
        ]
    return tuple(task.result() for task in looking)


async def _look_once(
    spec: CheckSpec, *, patient: Patient, scope: Scope, catalog: Catalog
) -> Finding:
    check = catalog.checks[spec.check]
    ctx = CheckContext(
        id=spec.id,
        service=patient.service,
        target=patient.target,
        alerts=tuple(patient.incident.alerts.values()),
    )
    try:
        params = bind(spec.params, check.params, scope)
        async with asyncio.timeout(PATIENCE.total_seconds()):
            return replace(await check.look(params, ctx), check=spec.id)
    except TimeoutError:
        return _unknown(spec, f"{spec.check} did not answer within {PATIENCE.seconds} s")
    except (TemporaryError, PermanentError) as error:
        return _unknown(spec, str(error))
    except Exception as error:  # noqa: BLE001 - whatever is wrong with a check, it is neither yes nor no
        _log.exception("check %s failed", spec.check)
        return _unknown(spec, f"{type(error).__name__}: {error}")


def _unknown(spec: CheckSpec, reason: str) -> Finding:
    return Finding(check=spec.id, holds=False, known=False, summary=f"could not look: {reason}")
