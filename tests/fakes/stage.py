"""The real lab, with a gate before everything that healer leans on, and one before healer itself.

Inference servers, volumes, Prometheus, Alertmanager are as `healer lab up` makes them. Only where
healer is to find them is another place: the gates, which write down every request and can be out of
order. The lab's own daemon is stopped; who stands here starts one, and may kill it.
"""

import asyncio
import json
import ssl
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import yaml

from healer.lab.contract import Object
from healer.lab.drill.scenario import Scenario
from healer.lab.monitoring.child import free_port
from healer.lab.pagerduty.server import PagerDutyServer
from healer.lab.remote import Remote, connected
from healer.lab.site import SITES, Site
from healer.lab.slack.server import SlackServer
from healer.lab.state import Home, State
from healer.lab.world import Plan, World, world
from healer.settings import Settings, load_settings
from tests.fakes.gate import Gate, Seen, gate
from tests.fakes.scene import harmless

PATIENCE = "10m"
"""When a human is called: a drill that is disturbed takes longer than one that is left alone."""

CATCH_UP = "2s"
"""Alertmanager never tells that an alert resolved where nobody lived to answer that it fired. A
daemon that lives through two of these finds out, long before its watch is over."""

ONCE = "1h"
"""How often Alertmanager is asked where it has to deliver: at the start, and not again."""

RESTED_WITHIN = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """How to start a daemon here."""

    config: Path
    once: Path
    """The same, but that Alertmanager is asked at the start only, and has to deliver after that."""
    environment: Mapping[str, str]

    @property
    def settings(self) -> Settings:
        """The same, read."""
        return load_settings(self.config, self.environment)


@dataclass(kw_only=True)
class Stage:
    """Made by `stage`. `door` is before the daemon: what Alertmanager delivers goes through it."""

    scenario: Scenario
    world: World
    remote: Remote
    gates: Mapping[str, Gate]
    door: Gate
    setting: Setting

    @property
    def site(self) -> Site:
        """What is broken here."""
        return SITES[self.scenario.service]

    @property
    def slack(self) -> SlackServer:
        """Where people read."""
        return self.world.slack

    @property
    def pagerduty(self) -> PagerDutyServer:
        """What wakes them."""
        return self.world.pagerduty

    @property
    def timeline(self) -> Path:
        """The file that daemons here write."""
        return self.setting.settings.timeline

    @property
    def pages(self) -> bool:
        """Does the alert of this scenario wake somebody?"""
        return self.scenario.name == "SCENARIO-2"

    @property
    def changes(self) -> Sequence[Seen]:
        """Requests that reached the API server and changed something there, or in a pod."""
        return [one for one in self.gates["kubernetes"].passed if not harmless(one)]

    def pace(self, *, watch: str) -> None:
        """How long the daemons that start from now on watch what they have healed."""
        for path in (self.setting.config.parent / "playbooks").iterdir():
            playbook = yaml.safe_load(path.read_text())
            playbook["spec"]["verify"]["watch"] = watch
            playbook["spec"]["escalate"]["after"] = PATIENCE
            path.write_text(yaml.safe_dump(playbook, sort_keys=False))

    async def rested(self) -> None:
        """Return once nothing is broken any more, and nobody holds an alert."""
        unrest = ""
        try:
            async with asyncio.timeout(RESTED_WITHIN):
                while unrest := await self._unrest():  # noqa: ASYNC110 - it is asked over HTTP
                    await asyncio.sleep(0.2)
        except TimeoutError as error:
            error.add_note(f"the lab does not rest: {unrest}")
            raise

    async def _unrest(self) -> str:
        """What is not yet as it should be; '' when all is."""
        site = self.site
        ready = await self.remote.ready_pods(site.namespace, site.selector)
        scraped = await self.remote.query(f'sum(up{{namespace="{site.namespace}"}})')
        if not len(ready) == site.replicas == scraped:
            return f"{len(ready)} of {site.replicas} pods are ready, {scraped} are scraped"
        fires = [*await self.remote.alerts(), *await self._notified()]
        ours = {str(one["labels"]["alertname"]) for one in fires if _is_of(one, site.name)}
        return ", ".join(sorted(ours))

    async def _notified(self) -> list[Object]:
        url = f"{self.world.state.alertmanager}/api/v2/alerts"
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            found: list[Object] = await answer.json()
            return found

    async def evictions(self) -> int:
        """How often inference servers have deleted cache files, by what they log themselves."""
        pods = await self.remote.objects("pods", self.site.namespace, self.site.selector)
        logs = [await self._log(str(pod["metadata"]["name"])) for pod in pods]
        return sum(line.count('"cache_evicted"') for line in logs)

    async def minima(self, *, until: Callable[[], bool]) -> Sequence[int]:
        """What autoscalers kept at least, one after the other, as the API server showed it."""
        seen: list[int] = []
        while not until():
            found = await self.remote.objects("horizontalpodautoscalers", self.site.namespace)
            now = sum(int(one["spec"]["minReplicas"]) for one in found)
            if seen[-1:] != [now]:
                seen.append(now)
            await asyncio.sleep(0.1)
        return seen

    async def _log(self, pod: str) -> str:
        state = self.world.state
        url = f"{state.kubernetes}/api/v1/namespaces/{self.site.namespace}/pods/{pod}/log"
        headers = {"Authorization": f"Bearer {state.token}"}
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.get(url, ssl=_trust(state)) as answer,
        ):
            assert answer.status == 200, await answer.text()
            return await answer.text()


@asynccontextmanager
async def stage(home: Path, scenario: Scenario) -> AsyncGenerator[Stage]:
    """A lab with the one service that the scenario breaks; nothing is broken yet."""
    plan = Plan(home=Home(home), services=(scenario.service,))
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        made = await enter(world(plan, say=_quiet))
        await made.daemon.stop()
        state, inner = made.state, free_port()
        gates = {
            "kubernetes": await enter(gate(state.kubernetes, tls=_trust(state))),
            "prometheus": await enter(gate(state.prometheus)),
            "slack": await enter(gate(state.slack)),
            "pagerduty": await enter(gate(state.pagerduty)),
        }
        door = await enter(
            gate(f"http://127.0.0.1:{inner}", port=int(urlsplit(state.healer).port or 0))
        )
        yield Stage(
            scenario=scenario,
            world=made,
            remote=await enter(connected(state)),
            gates=gates,
            door=door,
            setting=_set(made, gates, port=inner),
        )


def _set(made: World, gates: Mapping[str, Gate], *, port: int) -> Setting:
    """The lab's own configuration, with the gates in place of what is behind them."""
    folder = made.daemon.config.parent
    found: dict[str, Any] = yaml.safe_load(made.daemon.config.read_text())
    found["listen"]["port"] = port
    found["prometheus"]["url"] = gates["prometheus"].url
    found["slack"]["base_url"] = f"{gates['slack'].url}/api/"
    found["pagerduty"] |= {"events_url": gates["pagerduty"].url, "api_url": gates["pagerduty"].url}
    access: dict[str, Any] = json.loads((folder / "kubeconfig-healer").read_text())
    access["clusters"][0]["cluster"] = {"server": gates["kubernetes"].url}
    (folder / "kubeconfig-gate").write_text(json.dumps(access))
    found["kubernetes"]["kubeconfig"] = str(folder / "kubeconfig-gate")
    config, once = folder / "healer-gate.yaml", folder / "healer-once.yaml"
    for path, every in ((config, CATCH_UP), (once, ONCE)):
        found["alertmanager"]["catch_up"] = every
        path.write_text(yaml.safe_dump(found, sort_keys=False))
    return Setting(config=config, once=once, environment=made.daemon.environment)


def _is_of(alert: Object, service: str) -> bool:
    return bool(alert["labels"].get("service") == service)


def _trust(state: State) -> ssl.SSLContext:
    return ssl.create_default_context(cadata=state.ca)


def _quiet(_line: str) -> None:
    """A lab says what it does; a test has no reader for it."""
