"""Every drill by its name. To add one: a line in the module of its kind, or a module and a line."""

from collections.abc import Mapping

from healer.lab.drill import certificate, disk, latency, load, model
from healer.lab.drill.scenario import Scenario

_ALL: tuple[Scenario, ...] = (
    *certificate.DRILLS,
    *disk.DRILLS,
    *latency.DRILLS,
    *load.DRILLS,
    *model.DRILLS,
)

SCENARIOS: Mapping[str, Scenario] = {scenario.name: scenario for scenario in _ALL}
