"""The lab as a whole: brings everything up in order, and takes it down in reverse."""

import asyncio
import contextlib
import json
import os
import secrets
import shutil
import sys
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import yaml

from healer.errors import HealerError
from healer.lab import tempo
from healer.lab.access import ADMIN, HEALER
from healer.lab.api.certificate import Certificate, make_certificate
from healer.lab.api.kubeconfig import kubeconfig
from healer.lab.api.server import ApiServer
from healer.lab.api.store import Store
from healer.lab.contract import Object
from healer.lab.controller.run import run_controllers
from healer.lab.daemon import Daemon
from healer.lab.gpu.build import Gpus, build
from healer.lab.model import ENTRYPOINT, make_model
from healer.lab.monitoring import compress
from healer.lab.monitoring.alertmanager import Alertmanager
from healer.lab.monitoring.child import free_port
from healer.lab.monitoring.compress import Compression
from healer.lab.monitoring.objects import ObjectMetrics
from healer.lab.monitoring.prometheus import Prometheus
from healer.lab.monitoring.scrape import Probed, Targets
from healer.lab.network import ServiceProxy
from healer.lab.node.ground import Settings
from healer.lab.node.node import ProcessNode
from healer.lab.pagerduty.server import PagerDutyServer
from healer.lab.settling import Supplies, settle
from healer.lab.site import (
    ROOT,
    SITES,
    TLS_NAME,
    Keys,
    Places,
    Site,
    configuration,
    with_experts,
)
from healer.lab.slack.server import SlackServer
from healer.lab.state import AUDIT_LOG, Home, State

FACTOR = 60.0
IMAGES = {
    "inference": ENTRYPOINT,
    "front": (sys.executable, "-m", "healer.lab.edge.front"),
    "prober": (sys.executable, "-m", "healer.lab.edge.prober"),
}
GPUS = 16
GPU_MEMORY = 512 * 2**20
"""Bytes: an idle server of the tiny model takes a quarter of it."""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What kind of lab is wanted."""

    home: Home
    services: Sequence[str] = tuple(SITES)
    factor: float = FACTOR
    dry_run: bool = False
    keep: bool = False

    @property
    def sites(self) -> list[Site]:
        """The services, in the order of the table, with those that play experts for a router."""
        return [SITES[name] for name in with_experts(self.services)]

    @property
    def compression(self) -> Compression:
        """How time and thresholds differ from what is shipped."""
        series = {key: value for site in self.sites for key, value in site.series.items()}
        return Compression(factor=self.factor, thresholds=series)


@dataclass(slots=True, kw_only=True)
class World:
    """A lab that is up. `daemon` may be killed and started again."""

    state: State
    daemon: Daemon
    slack: SlackServer
    pagerduty: PagerDutyServer


@contextlib.asynccontextmanager
async def world(plan: Plan, *, say: Say) -> AsyncGenerator[World]:
    """Everything up, while the block runs; the daemon is the last to come and the first to go."""
    with _plain_errors():
        async with AsyncExitStack() as stack:
            folder = plan.home.new_folder()
            if not plan.keep:
                stack.callback(shutil.rmtree, folder, ignore_errors=True)
            await make_model(plan.home.model, say=say)
            group = await stack.enter_async_context(asyncio.TaskGroup())
            builder = _Builder(plan=plan, folder=folder, stack=stack, group=group, say=say)
            yield await builder.build()


@contextlib.contextmanager
def _plain_errors() -> Generator[None]:
    """An error on purpose comes out as itself, not in the group of the tasks it ended."""
    try:
        yield
    except BaseExceptionGroup as group:
        found = _first(group)
        if found is None:
            raise
        raise found from group


def _first(group: BaseExceptionGroup[BaseException]) -> HealerError | None:
    """The first error on purpose, however deep."""
    for error in group.exceptions:
        match error:
            case HealerError():
                return error
            case BaseExceptionGroup():
                if found := _first(error):
                    return found
            case _:
                continue
    return None


async def _no_metrics(_namespace: str, _metric: str, _pods: Sequence[Object]) -> float | None:
    """The lab has no metrics adapter: autoscalers keep workloads inside their bounds, no more."""
    return None


@dataclass(slots=True, kw_only=True)
class _Builder:
    """One part after the other."""

    plan: Plan
    folder: Path
    stack: AsyncExitStack
    group: asyncio.TaskGroup
    say: Say

    async def build(self) -> World:
        plan, stack = self.plan, self.stack
        self.say(_pace(plan.factor))
        tokens = {secrets.token_hex(16): ADMIN, secrets.token_hex(16): HEALER}
        admin, healer = tokens
        store = Store()
        node = self._node(store, await self._gpus())
        certificate = make_certificate()
        api = ApiServer(
            store=store,
            node=node,
            tokens=tokens,
            tls=certificate.context,
            audit=self.folder / AUDIT_LOG,
        )
        await stack.enter_async_context(api)
        self._spawn(run_controllers(store, measure=_no_metrics))
        self._spawn(node.run())
        proxies = {
            site.name: ServiceProxy(store, site.namespace, site.service) for site in plan.sites
        }
        for proxy in proxies.values():
            self._spawn(proxy.run())
        fronts = {site.name: self._edge(store, site) for site in plan.sites if site.edge}
        supplies = Supplies(
            store=store,
            node=node,
            model=plan.home.model,
            addresses={name: proxy.url for name, proxy in proxies.items()},
            classifier=self.folder / "classifier",
        )
        for site in plan.sites:
            await settle(site, supplies, say=self.say)
        slack = await stack.enter_async_context(
            SlackServer(
                token=f"xoxb-{secrets.token_hex(8)}",
                channels=[site.name for site in plan.sites],
            )
        )
        pagerduty = await stack.enter_async_context(
            PagerDutyServer(routing_keys=[site.routing_key for site in plan.sites])
        )
        keys = Keys(
            webhook=secrets.token_hex(16),
            operator=secrets.token_hex(16),
            slack=slack.token,
            signing=secrets.token_hex(16),
            pagerduty=pagerduty.token,
        )
        port = free_port()
        prometheus, alertmanager = await self._monitoring(store, keys, port, fronts)
        places = Places(
            port=port,
            kubeconfig=self._kubeconfig("healer", api.url, healer, certificate),
            prometheus=prometheus,
            alertmanager=alertmanager,
            slack=slack.url,
            pagerduty=pagerduty.url,
            playbooks=self._playbooks(),
            timeline=self.folder / "healer.db",
            fronts={name: front.front for name, front in fronts.items()},
        )
        daemon = await self._daemon(places, keys)
        state = State(
            pid=os.getpid(),
            folder=str(self.folder),
            factor=plan.factor,
            dry_run=plan.dry_run,
            kubernetes=api.url,
            kubeconfig=str(self._kubeconfig("admin", api.url, admin, certificate)),
            token=admin,
            ca=certificate.pem.decode(),
            prometheus=prometheus,
            alertmanager=alertmanager,
            healer=daemon.url,
            operator=keys.operator,
            slack=slack.url,
            pagerduty=pagerduty.url,
            services={name: proxy.url for name, proxy in proxies.items()},
        )
        self.say("The lab is up.")
        return World(state=state, daemon=daemon, slack=slack, pagerduty=pagerduty)

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        self.stack.callback(self.group.create_task(work).cancel)

    async def _gpus(self) -> Gpus | None:
        """Stand-ins for GPUs, where a service of this lab asks for them and they can be built."""
        if not any(site.gpu for site in self.plan.sites):
            return None
        built = await build(self.folder / "gpu", say=self.say)
        return None if built is None else Gpus(folder=built, count=GPUS, memory=GPU_MEMORY)

    def _node(self, store: Store, gpus: Gpus | None) -> ProcessNode:
        settings = Settings(images=IMAGES, folder=str(ROOT), gpus=gpus)
        return ProcessNode(store, settings=settings, folder=self.folder)

    def _edge(self, store: Store, site: Site) -> Probed:
        """The addresses of a front and of the prober that looks at it."""
        front = ServiceProxy(store, site.namespace, f"{site.name}-ingress")
        prober = ServiceProxy(store, site.namespace, "tls-prober")
        for proxy in (front, prober):
            self._spawn(proxy.run())
        return Probed(
            front=front.address,
            prober=prober.address,
            name=TLS_NAME,
            labels={"namespace": site.namespace, "service": site.name},
        )

    async def _monitoring(
        self, store: Store, keys: Keys, port: int, fronts: Mapping[str, Probed]
    ) -> tuple[str, str]:
        """The real Prometheus and the real Alertmanager, with what is shipped for them."""
        shipped, by = ROOT / "alertmanager", self.plan.compression
        token = _private(self.folder / "webhook-token", keys.webhook)
        routes = compress.routes(
            (shipped / "alertmanager.yml").read_text(),
            by,
            url=f"http://127.0.0.1:{port}/webhook/alertmanager",
            credentials_file=str(token),
        )
        alertmanager = Alertmanager(config=routes, folder=self.folder)
        await self.stack.enter_async_context(alertmanager)
        targets = Targets(path=self.folder / "targets.json")
        self._spawn(targets.follow(store))
        rules = {
            path.name: compress.rules(path.read_text(), by)
            for path in sorted((shipped / "rules").glob("*.yml"))
        }
        objects = await self.stack.enter_async_context(ObjectMetrics(cluster=store))
        prometheus = Prometheus(
            targets=targets,
            rules=rules,
            alertmanager=alertmanager.url,
            probed=tuple(fronts.values()),
            objects=objects.address,
            folder=self.folder,
        )
        await self.stack.enter_async_context(prometheus)
        self.say(f"Prometheus ({prometheus.url}) and Alertmanager ({alertmanager.url}) are ready.")
        return prometheus.url, alertmanager.url

    def _playbooks(self) -> Path:
        folder = self.folder / "playbooks"
        folder.mkdir()
        here = {site.name for site in self.plan.sites}
        for path in sorted((ROOT / "playbooks").glob("*.yaml")):
            text = path.read_text()
            if tempo.concerns(text, here):
                (folder / path.name).write_text(tempo.playbook(text, self.plan.compression))
        return folder

    def _kubeconfig(self, name: str, url: str, token: str, certificate: Certificate) -> Path:
        config = kubeconfig(url, token, ca=certificate.pem)
        return _private(self.folder / f"kubeconfig-{name}", json.dumps(config))

    async def _daemon(self, places: Places, keys: Keys) -> Daemon:
        written = configuration(places, self.plan.sites, factor=self.plan.factor)
        path = self.folder / "healer.yaml"
        path.write_text(yaml.safe_dump(written, sort_keys=False))
        daemon = Daemon(
            config=path,
            url=f"http://127.0.0.1:{places.port}",
            environment=keys.environment(self.plan.sites),
            log=self.folder / "healer.log",
            dry_run=self.plan.dry_run,
        )
        await daemon.start()
        self.stack.push_async_callback(daemon.stop)
        rehearsing = ", which will change nothing (--dry-run)" if self.plan.dry_run else ""
        self.say(f"healer is ready at {daemon.url}{rehearsing}.")
        return daemon


def _pace(factor: float) -> str:
    return (
        f"Time runs {factor:g} times as fast: durations in rules, routes and playbooks are divided"
        f" by {factor:g}; waits for real work keep at least {tempo.WORK_FLOOR:g} s."
    )


def _private(path: Path, text: str) -> Path:
    path.touch(mode=0o600)
    path.write_text(text)
    return path
