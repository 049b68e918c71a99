"""Every drill by its name. To add one: a line in the module of its kind, or a module and a line."""

from collections.abc import Mapping

from healer.lab.drill import (
    breaker,
    certificate,
    disk,
    down,
    error,
    latency,
    load,
    memory,
    model,
    routing,
)
from healer.lab.drill.scenario import Scenario

_ALL: tuple[Scenario, ...] = (
    *breaker.DRILLS,
    *certificate.DRILLS,
    *disk.DRILLS,
    *down.DRILLS,
    *error.DRILLS,
    *latency.DRILLS,
    *load.DRILLS,
    *memory.DRILLS,
    *model.DRILLS,
    *routing.DRILLS,
)

SCENARIOS: Mapping[str, Scenario] = {scenario.name: scenario for scenario in _ALL}
