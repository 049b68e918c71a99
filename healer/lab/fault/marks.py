"""ssd-marks-too-high: servers call their volume too full by marks that no alert knows (SCENARIO-1).

A release brings them from a site with larger volumes. The volume is sound and has room by the
thresholds of the alerts, so that the service is degraded behind a closed circuit.
"""

import contextlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import UTC, datetime

from healer.lab.fault.contract import Say
from healer.lab.fault.proof import shown
from healer.lab.fault.rollout import released, with_environment
from healer.lab.fault.silence import silenced
from healer.lab.remote import Remote
from healer.lab.site import SITES

MARKS = {"INFERENCE_SSD_LOW_GB": "0.4", "INFERENCE_SSD_CRITICAL_GB": "0.3"}
"""More than the lab's whole volume."""
DEGRADED = 'min(degradation_mode{namespace="%s"})'


@dataclass(frozen=True, slots=True, kw_only=True)
class MarksTooHigh:
    """That the service is degraded is silenced while it is rolled out."""

    name: str = "ssd-marks-too-high"
    service: str = "llm-inference"
    lasts: bool = True

    @contextlib.asynccontextmanager
    async def strike(self, remote: Remote, *, say: Say) -> AsyncGenerator[datetime | None]:
        """It begins when every server has the marks and is degraded by them; the end rolls back."""
        site = SITES[self.service]
        async with contextlib.AsyncExitStack() as stack:
            async with silenced(remote, site, why="a release is rolled out", say=say):
                release = released(remote, site, with_environment(MARKS))
                await stack.enter_async_context(release)
                await shown(remote, DEGRADED % site.namespace, lambda value: value == 1)
                say("The release has raised the marks of free space above the size of the volume.")
                begun = datetime.now(UTC)
            yield begun
