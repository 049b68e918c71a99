"""The client of the inference server: against the fake and against the real one, alike."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestServer

from healer.client.inference import Inference, parse_metrics
from healer.client.kubernetes.cluster import Kubernetes
from healer.errors import RejectedError, UnavailableError
from healer.model.service import Endpoint
from tests.fakes.inference import KEY, servers
from tests.fakes.lab import NAMESPACE, Lab, running_lab
from tests.fakes.stub import Stub, refuses, says

POD = "api-0"
PROXY = f"/api/v1/namespaces/{NAMESPACE}/pods/{POD}:8000/proxy"


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Lab]:
    async with running_lab(tmp_path) as running:
        yield running


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from inference.tiny import make_model

    folder = tmp_path_factory.mktemp("model") / "tiny"
    make_model(folder)
    return folder


async def _real(stack: AsyncExitStack, model: Path, disk: Path) -> int:
    from inference.server import Server
    from inference.settings import Settings

    settings: dict[str, Any] = {"model": model, "backup": model, "ssd_dir": disk, "admin_key": KEY}
    server = Server(Settings(**settings))
    site = TestServer(server.application(), host="127.0.0.1")
    await site.start_server()
    stack.push_async_callback(site.close)
    await server.ready()
    return int(site.make_url("").port or 0)


@pytest.fixture(params=["fake", pytest.param("real", marks=pytest.mark.real)])
async def port(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[int]:
    async with AsyncExitStack() as stack:
        if request.param == "real":
            disk = tmp_path / "ssd"
            disk.mkdir()
            yield await _real(stack, request.getfixturevalue("model"), disk)
        else:
            number, _ = await stack.enter_async_context(servers(1))
            yield number


@pytest.fixture
async def inference(lab: Lab, port: int) -> Inference:
    pod = str(lab.pods[0]["metadata"]["name"])
    endpoint = Endpoint(port=port, admin_key=KEY)
    return Inference(lab.admin.pods, namespace=NAMESPACE, pod=pod, endpoint=endpoint)


async def test_breakers_are_read_and_reset(inference: Inference) -> None:
    assert (await inference.breakers())["ssd"]["state"] == "closed"
    assert (await inference.reset_breaker())["ssd"]["state"] == "closed"


async def test_the_cache_is_counted_and_emptied(inference: Inference) -> None:
    usage = await inference.cache(timedelta(days=7))
    evicted = await inference.evict_cache(timedelta(days=7), dry_run=False)

    assert (usage.files, usage.old_files, usage.old_bytes) == (0, 0, 0)
    assert (evicted.files, evicted.bytes) == (0, 0)


async def test_limits_are_read_and_changed(inference: Inference) -> None:
    before = (await inference.config())["maxNumSeqs"]

    after = (await inference.configure({"maxNumSeqs": 3}))["maxNumSeqs"]

    assert isinstance(before, int)
    assert after == 3


async def test_a_sound_model_is_told_and_nothing_of_it_restored(inference: Inference) -> None:
    found = await inference.model_files()
    rehearsed = await inference.restore_model(dry_run=True)
    done = await inference.restore_model(dry_run=False)

    assert (found.sound, found.faults, found.cause) == (True, (), "")
    assert done == rehearsed
    assert done
    assert (done.files, done.bytes) == ((), 0)


@pytest.mark.real
@pytest.mark.parametrize("port", ["real"], indirect=True)
async def test_health_components_and_metrics_are_those_of_the_real_server(
    inference: Inference,
) -> None:
    health = await inference.health()
    components = await inference.components()
    names = {sample.name for sample in await inference.metrics()}

    assert health.ok
    assert health.status == "healthy"
    assert components["components"]["circuit_breaker"]["status"] == "healthy"
    assert {"circuit_breaker_state", "health_ssd_free_space_gb", "queue_length"} <= names


@pytest.fixture
def stubbed(kubernetes: Kubernetes) -> Inference:
    endpoint = Endpoint(port=8000, admin_key=KEY)
    return Inference(kubernetes.pods, namespace=NAMESPACE, pod=POD, endpoint=endpoint)


async def test_the_admin_key_travels_where_the_proxy_lets_it_through(
    stubbed: Inference, stub: Stub
) -> None:
    stub.on("GET", f"{PROXY}/admin/config", says({"maxNumSeqs": 1}))
    stub.on("GET", f"{PROXY}/metrics", says(raw=b"up 1\n"))

    await stubbed.config()
    await stubbed.metrics()

    admin, public = stub.asked
    assert admin.headers["X-Admin-Key"] == KEY
    assert admin.headers["Authorization"] == "Bearer token-of-a-test"
    assert "X-Admin-Key" not in public.headers


async def test_unhealthy_is_an_answer_and_no_error(stubbed: Inference, stub: Stub) -> None:
    stub.on("GET", f"{PROXY}/health", says({"status": "critical"}, status=503))

    health = await stubbed.health()

    assert (health.ok, health.status) == (False, "critical")


async def test_what_the_api_server_says_is_not_taken_for_the_pod_s_word(
    stubbed: Inference, stub: Stub
) -> None:
    stub.on(
        "GET",
        f"{PROXY}/health",
        refuses(503, "ServiceUnavailable", "error trying to reach service"),
    )

    with pytest.raises(UnavailableError, match="error trying to reach service"):
        await stubbed.health()


async def test_a_pod_that_is_gone_is_not_found(stubbed: Inference, stub: Stub) -> None:
    stub.on("GET", f"{PROXY}/health", refuses(404, "NotFound", 'pods "api-0" not found'))

    with pytest.raises(RejectedError) as caught:
        await stubbed.health()

    assert caught.value.reason == "NotFound"


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"7", b"\xff"])
async def test_garbage_is_an_unavailable_server(
    stubbed: Inference, stub: Stub, body: bytes
) -> None:
    for page in ("/health", "/admin/config", "/admin/circuit-breaker/status"):
        stub.on("GET", PROXY + page, says(raw=body))

    for call in (stubbed.health, stubbed.config, stubbed.breakers):
        with pytest.raises(UnavailableError, match="no JSON"):
            await call()


async def test_an_answer_without_the_numbers_is_an_unavailable_server(
    stubbed: Inference, stub: Stub
) -> None:
    stub.on("GET", f"{PROXY}/admin/cache", says({"files": "many"}))

    with pytest.raises(UnavailableError, match="told no files"):
        await stubbed.cache(timedelta(days=1))


def test_metrics_keep_labels_nan_and_infinity() -> None:
    samples = parse_metrics('a_total{pod="x"} 2\nb NaN\nc +Inf\n')

    assert [(one.name, dict(one.labels)) for one in samples] == [
        ("a_total", {"pod": "x"}),
        ("b", {}),
        ("c", {}),
    ]
    assert [str(one.value) for one in samples] == ["2.0", "nan", "inf"]


@pytest.mark.parametrize("text", ["<html>", "a{b} 1", "a one", 'a{b="c} 1'])
def test_a_page_that_is_no_metrics_is_an_unavailable_server(text: str) -> None:
    with pytest.raises(UnavailableError, match="/metrics"):
        parse_metrics(text)
