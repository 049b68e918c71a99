"""The lab's API server, whose pod proxy leads to one server that answers as a test says.

All pods of the lab have the address 127.0.0.1, so all of them are that one server.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from healer.check.contract import CheckContext
from healer.lab.contract import Object
from healer.model.service import Endpoint, Service, Target
from tests.fakes.lab import NAMESPACE, SELECTOR, Lab, running_lab
from tests.fakes.stub import Stub, stub_server


@dataclass(frozen=True, slots=True, kw_only=True)
class Ward:
    """A cluster, its servers, and a service that means them."""

    lab: Lab
    stub: Stub
    ctx: CheckContext

    @property
    def names(self) -> list[str]:
        return sorted(str(one["metadata"]["name"]) for one in self.lab.pods)

    def mount(self, name: str, claim: str) -> None:
        """Let a pod mount a claim."""
        volume = {"name": "ssd", "persistentVolumeClaim": {"claimName": claim}}

        def add(pod: Object) -> None:
            pod["spec"]["volumes"] = [volume]

        self.lab.change("pods", name, add)

    def lose(self, name: str) -> None:
        """Leave a pod ready, and nobody at its address."""

        def move(pod: Object) -> None:
            pod["status"]["podIP"] = "127.0.0.9"

        self.lab.change("pods", name, move)

    def unready(self, name: str) -> None:
        """Leave it running and out of traffic."""

        def change(pod: Object) -> None:
            for one in pod["status"]["conditions"]:
                one["status"] = "False" if one["type"] == "Ready" else one["status"]

        self.lab.change("pods", name, change)


@pytest.fixture
async def ward(tmp_path: Path) -> AsyncIterator[Ward]:
    async with running_lab(tmp_path) as lab, stub_server() as stub:
        target = Target(namespace=NAMESPACE, kind="deployment", name="api")
        port = urlsplit(stub.url).port or 0
        service = Service(
            name="api",
            match=(),
            workload=target,
            selector=SELECTOR,
            inference=Endpoint(port=port, admin_key="k3y"),
        )
        yield Ward(lab=lab, stub=stub, ctx=CheckContext(id="asked", service=service, target=target))
