"""Real Prometheus and Alertmanager between a metrics page and a receiver of webhooks."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from healer.lab.contract import Object
from healer.lab.monitoring import child, compress
from healer.lab.monitoring.alertmanager import Alertmanager
from healer.lab.monitoring.compress import Compression
from healer.lab.monitoring.prometheus import Prometheus
from healer.lab.monitoring.scrape import Targets
from tests.fakes.cluster import FakeCluster

SHIPPED = Path(__file__).parents[3] / "alertmanager"
LONG_AGO = "2020-01-01T00:00:00Z"
LABELS = {"namespace": "production", "pod": "web-1", "service": "llm-inference"}

pytestmark = pytest.mark.real


class Receiver:
    """Takes webhooks."""

    def __init__(self) -> None:
        self.posts: asyncio.Queue[tuple[str, Object]] = asyncio.Queue()

    async def take(self, request: web.Request) -> web.Response:
        await self.posts.put((request.headers.get("Authorization", ""), await request.json()))
        return web.Response()


@contextlib.asynccontextmanager
async def served(*routes: web.RouteDef) -> AsyncGenerator[int]:
    app = web.Application()
    app.add_routes(routes)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


def pod(port: int) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": "web-1",
            "namespace": "production",
            "uid": "1",
            "labels": {"app.kubernetes.io/name": "llm-inference"},
            "annotations": {"prometheus.io/scrape": "true", "prometheus.io/port": str(port)},
        },
        "spec": {"containers": [{"name": "main", "ports": [{"containerPort": port}]}]},
        "status": {"phase": "Running", "podIP": "127.0.0.1"},
    }


async def query(prometheus: Prometheus, promql: str) -> list[dict[str, Any]]:
    """The result of a query as soon as it has one."""
    async with asyncio.timeout(20), aiohttp.ClientSession() as session:
        while True:
            address = f"{prometheus.url}/api/v1/query"
            async with session.get(address, params={"query": promql}) as answer:
                found: list[dict[str, Any]] = (await answer.json())["data"]["result"]
            if found:
                return found
            await asyncio.sleep(0.1)


async def metrics(_: web.Request) -> web.Response:
    return web.Response(text="health_ssd_free_space_gb 0.05\n")


async def test_a_shipped_alert_reaches_the_webhook_in_compressed_time(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("s3cret")
    service = "llm-inference"
    thresholds = {("threshold:ssd_free_gb:low", service): 0.1}
    thresholds |= {("threshold:ssd_free_gb:critical", service): 0.01}
    by = Compression(factor=300, thresholds=thresholds)
    receiver, cluster, targets = Receiver(), FakeCluster(), Targets(path=tmp_path / "targets.json")
    async with contextlib.AsyncExitStack() as stack:
        page = await stack.enter_async_context(served(web.get("/metrics", metrics)))
        cluster.create("pods", pod(page))
        group = await stack.enter_async_context(asyncio.TaskGroup())
        following = group.create_task(targets.follow(cluster))
        stack.callback(following.cancel)
        hook = await stack.enter_async_context(served(web.post("/webhook", receiver.take)))
        routes = compress.routes(
            (SHIPPED / "alertmanager.yml").read_text(),
            by,
            url=f"http://127.0.0.1:{hook}/webhook",
            credentials_file=str(token),
        )
        alertmanager = await stack.enter_async_context(Alertmanager(config=routes))
        prometheus = await stack.enter_async_context(
            Prometheus(
                targets=targets,
                rules={
                    path.name: compress.rules(path.read_text(), by)
                    for path in (SHIPPED / "rules").glob("*.yml")
                },
                alertmanager=alertmanager.url,
                folder=tmp_path,
            )
        )
        found = await query(prometheus, "health_ssd_free_space_gb")
        assert found[0]["metric"].items() >= LABELS.items()
        async with asyncio.timeout(25):
            authorization, body = await receiver.posts.get()
        assert authorization == "Bearer s3cret"
        assert body["version"] == "4"
        assert body["groupLabels"] == {"namespace": "production", "service": "llm-inference"}
        alert = body["alerts"][0]
        assert (alert["status"], alert["labels"]["alertname"]) == ("firing", "DiskSpaceLow")
        assert alert["labels"].items() >= LABELS.items()


async def post(alertmanager: Alertmanager, *alerts: dict[str, str], **more: str) -> None:
    """Put alerts of the one workload into Alertmanager."""
    body = [{"labels": {**LABELS, **labels}, **more} for labels in alerts]
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{alertmanager.url}/api/v2/alerts", json=body) as answer,
    ):
        assert answer.status == 200, await answer.text()


async def test_a_sick_workload_pages_once_and_its_recovery_is_told(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("s3cret")
    receiver = Receiver()
    async with served(web.post("/webhook", receiver.take)) as hook:
        routes = compress.routes(
            (SHIPPED / "alertmanager.yml").read_text(),
            Compression(factor=60),
            url=f"http://127.0.0.1:{hook}/webhook",
            credentials_file=str(tmp_path / "token"),
        )
        async with Alertmanager(config=routes, folder=tmp_path) as alertmanager:
            sick = [
                {"alertname": "DiskSpaceLow", "pod": "a"},
                {"alertname": "DiskSpaceCritical", "pod": "a"},
                {"alertname": "DiskSpaceLow", "pod": "b"},
                {"alertname": "ServiceDegraded", "pod": ""},
            ]
            await post(alertmanager, *sick)
            async with asyncio.timeout(15):
                _, body = await receiver.posts.get()
            told = {(a["labels"]["alertname"], a["labels"].get("pod")) for a in body["alerts"]}
            assert told == {
                ("DiskSpaceCritical", "a"),  # and so not that it is low
                ("DiskSpaceLow", "b"),
                ("ServiceDegraded", None),
            }
            await post(alertmanager, *sick, endsAt="2020-01-02T00:00:00Z", startsAt=LONG_AGO)
            async with asyncio.timeout(15):
                _, later = await receiver.posts.get()
    assert later["groupKey"] == body["groupKey"]
    assert later["status"] == "resolved"


async def test_bad_rules_are_reported_in_the_programs_own_words(tmp_path: Path) -> None:
    prometheus = Prometheus(
        targets=Targets(path=tmp_path / "none.json"), rules={"bad.yml": "groups: 5"}
    )
    with pytest.raises(child.StartError, match="cannot unmarshal"):
        async with prometheus:
            pass


def test_a_missing_program_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(child.MissingProgramError, match="apt-get install prometheus"):
        child.find("prometheus", path=str(tmp_path))
