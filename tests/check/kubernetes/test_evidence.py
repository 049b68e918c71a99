"""Every check of Kubernetes tells what it declares, by name and kind."""

from collections.abc import Mapping
from typing import Any

import pytest

from healer.app.client import Clients
from healer.app.vocabulary import checks
from healer.check.contract import CheckContext
from healer.kit.clock import SystemClock
from tests.fakes.declared import hold_to_its_word
from tests.fakes.lab import Lab

ASKED: Mapping[str, Mapping[str, Any]] = {
    "kubernetes.autoscaler": {},
    "kubernetes.describe": {},
    "kubernetes.events": {},
    "kubernetes.exec": {"command": ["true"]},
    "kubernetes.logs": {},
    "kubernetes.pods": {},
    "kubernetes.pvc": {"claim": "cache", "to": "300Gi"},
    "kubernetes.workload": {},
}


@pytest.mark.parametrize("ruled", [True, False], ids=["with autoscaler", "without"])
@pytest.mark.parametrize("name", ASKED)
async def test_it_tells_what_it_declares(
    lab: Lab, ctx: CheckContext, name: str, *, ruled: bool
) -> None:
    lab.create_claim("cache")
    if ruled:
        target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "api"}
        spec = {"scaleTargetRef": target, "minReplicas": 1, "maxReplicas": 9}
        lab.create("horizontalpodautoscalers", "api", spec=spec)
    check = checks(Clients(clock=SystemClock(), kubernetes=lab.admin))[name]
    found = await check.look(check.params.model_validate(ASKED[name]), ctx)
    hold_to_its_word(check, found)
