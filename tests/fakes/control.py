"""Controllers over a store in virtual time, with a kubelet that obeys and metrics that are set."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from healer.lab.api.store import Store
from healer.lab.api.termination import stamp
from healer.lab.contract import Object
from healer.lab.controller.run import run_controllers
from tests.fakes.kubelet import FakeNode, Kubelet

START = datetime(2030, 1, 1, tzinfo=UTC)


@dataclass(slots=True, kw_only=True)
class Control:
    """What a test of controllers holds in its hands."""

    store: Store = field(default_factory=Store)
    metrics: dict[str, float] = field(default_factory=dict[str, float])
    sick: set[str] = field(default_factory=set[str])
    """Images whose pods never become ready."""
    began: float | None = None
    start: Callable[[], None] = lambda: None

    def get(self, resource: str, name: str = "web") -> Object:
        """An object of the default namespace, or {}."""
        return self.store.get(resource, "default", name) or {}

    def pods(self) -> list[Object]:
        """The pods of the default namespace."""
        return self.store.list("pods", "default")

    def ready(self) -> int:
        """How many pods are ready."""
        found = self.get("deployments").get("status", {})
        return int(found.get("readyReplicas", 0))

    def condition(self, kind: str, *, resource: str = "deployments") -> Object:
        """A condition of `web`."""
        found: list[Object] = self.get(resource).get("status", {}).get("conditions", [])
        return next((one for one in found if one["type"] == kind), Object())

    def reasons(self) -> list[str]:
        """The reasons of all events."""
        return [event["reason"] for event in self.store.list("events")]

    def change(self, resource: str, name: str = "web", **spec: object) -> None:
        """Write into the spec of an object."""
        self.store.update(resource, "default", name, lambda it: it["spec"].update(spec))

    def image(self, image: str) -> None:
        """Roll `web` out with another image."""

        def write(it: Object) -> None:
            it["spec"]["template"]["spec"]["containers"][0]["image"] = image

        self.store.update("deployments", "default", "web", write)

    async def settle(self, seconds: float = 2.0) -> None:
        """Let the controllers work for so long; costs no real time. The first call starts them."""
        loop = asyncio.get_running_loop()
        if self.began is None:
            self.began = loop.time()
            self.start()
        await asyncio.sleep(seconds)

    def now(self) -> datetime:
        """The time of the cluster, which begins with the first `settle`."""
        if self.began is None:
            return START
        return START + timedelta(seconds=asyncio.get_running_loop().time() - self.began)

    async def measure(self, _namespace: str, name: str, _pods: Sequence[Object]) -> float | None:
        """What the test set."""
        return self.metrics.get(name)


@contextlib.asynccontextmanager
async def controlled(*, kubelet: bool = True) -> AsyncGenerator[Control]:
    """Everything there, and running from the first `settle` on: virtual time is for tests only."""
    control = Control()
    store = control.store = Store(now=control.now)
    tasks: list[asyncio.Task[None]] = []
    async with asyncio.TaskGroup() as group:

        def start() -> None:
            running = run_controllers(store, measure=control.measure, now=control.now)
            tasks.append(group.create_task(running))
            if kubelet:
                tasks.append(group.create_task(_kubelet(control).run()))

        control.start = start
        for name in ("default", "other"):
            store.create("namespaces", {"metadata": {"name": name}})
        yield control
        for task in tasks:
            task.cancel()


def _kubelet(control: Control) -> Kubelet:
    def sick(pod: Object) -> bool:
        return pod["spec"]["containers"][0]["image"] in control.sick

    return Kubelet(
        cluster=control.store, now=lambda: stamp(control.now()), sick=sick, node=FakeNode()
    )
