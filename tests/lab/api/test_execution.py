"""exec over WebSocket, logs and proxies: what reaches into a pod."""

import asyncio
import json
from collections.abc import AsyncGenerator
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from healer.lab.api.termination import stamp
from tests.fakes.apiserver import ADMIN, JANE, Lab, kubernetes, kubernetes_stream, pod
from tests.fakes.kubelet import make_ready

POD = "/api/v1/namespaces/default/pods/a"


@pytest.fixture
async def running(lab: Lab) -> Lab:
    """A pod that runs."""
    body = pod("a", node="lab-1", app="web")
    body["spec"]["containers"][0]["ports"] = [{"containerPort": 8000, "name": "http"}]
    lab.store.create("pods", body)
    now = stamp(lab.store.now())
    lab.store.update("pods", "default", "a", lambda it: make_ready(it, now=now))
    lab.node.written["a", False] = b"one\ntwo\nthree\n"
    return lab


async def converse(
    lab: Lab,
    query: str,
    *,
    protocol: str = "v4.channel.k8s.io",
    frames: tuple[bytes, ...] = (),
    token: str = ADMIN,
) -> dict[int, bytes]:
    """What each channel said."""
    heard: dict[int, bytes] = {}
    headers = {"Authorization": f"Bearer {token}"}
    url = f"{lab.server.url}{POD}/exec?{query}"
    async with lab.http.ws_connect(url, protocols=(protocol,), headers=headers) as socket:
        assert socket.protocol == protocol
        for frame in frames:
            await socket.send_bytes(frame)
        async for message in socket:
            channel = message.data[0]
            heard[channel] = heard.get(channel, b"") + message.data[1:]
    return heard


@pytest.mark.parametrize("protocol", ["v4.channel.k8s.io", "v5.channel.k8s.io"])
async def test_streams_come_on_their_channels_and_success_on_the_third(
    running: Lab, protocol: str
) -> None:
    running.node.answers["ls -l"] = ([(1, b"out"), (2, b"err"), (1, b"put")], 0)
    query = "command=ls&command=-l&stdout=true&stderr=true"
    heard = await converse(running, query, protocol=protocol)
    assert (heard[1], heard[2]) == (b"output", b"err")
    assert json.loads(heard[3]) == {"metadata": {}, "status": "Success"}


async def test_a_failed_command_tells_its_exit_code_as_a_cause(running: Lab) -> None:
    running.node.answers["false"] = ([], 7)
    status = json.loads((await converse(running, "command=false&stdout=1&stderr=1"))[3])
    assert (status["status"], status["reason"]) == ("Failure", "NonZeroExitCode")
    assert status["details"]["causes"] == [{"reason": "ExitCode", "message": "7"}]


async def test_stdin_is_fed_and_closed_in_version_5(running: Lab) -> None:
    heard = await converse(
        running,
        "command=cat&stdin=true&stdout=true",
        protocol="v5.channel.k8s.io",
        frames=(b"\0hello ", b"\0world", b"\xff\0"),
    )
    assert heard[1] == b"hello world"


async def test_a_command_ends_when_its_caller_goes(running: Lab) -> None:
    headers = {"Authorization": f"Bearer {ADMIN}"}
    url = f"{running.server.url}{POD}/exec?command=sleep&stdout=1"
    protocols = ("v4.channel.k8s.io",)
    async with running.http.ws_connect(url, protocols=protocols, headers=headers):
        await running.until(lambda: running.node.started)
    await running.until(lambda: running.node.started[0].killed)


@pytest.mark.parametrize(
    ("verbs", "code"), [(["get"], 403), (["create"], 403), (["get", "create"], 101)]
)
async def test_an_upgrade_needs_create_besides_get_and_fails_as_a_handshake(
    running: Lab, verbs: list[str], code: int
) -> None:
    rules = [{"apiGroups": [""], "resources": ["pods/exec"], "verbs": verbs}]
    meta = {"name": "x", "namespace": "default"}
    running.store.create("roles", {"metadata": meta, "rules": rules})
    subjects = [{"kind": "User", "name": "jane"}]
    ref = {"kind": "Role", "name": "x"}
    body = {"metadata": meta, "subjects": subjects, "roleRef": ref}
    running.store.create("rolebindings", body)
    if code == 101:
        assert 3 in await converse(running, "command=ls&stdout=1", token=JANE)
        return
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await converse(running, "command=ls&stdout=1", token=JANE)
    assert refused.value.status == code


async def test_the_client_library_runs_commands(running: Lab) -> None:
    running.node.answers["echo hi"] = ([(1, b"hi\n")], 0)
    async with running.api(kind=kubernetes_stream.WsApiClient) as api:
        found = await kubernetes.CoreV1Api(api).connect_get_namespaced_pod_exec(
            "a", "default", command=["echo", "hi"], stdout=True, stderr=True
        )
    assert found == "hi\n"


@pytest.mark.parametrize(
    ("query", "code"), [("", 400), ("command=ls", 400), ("command=ls&container=no", 400)]
)
async def test_exec_without_an_upgrade_or_a_command_is_a_bad_request(
    running: Lab, query: str, code: int
) -> None:
    assert (await running.call("POST", f"{POD}/exec?{query}")).code == code


# ------------------------------------------------------------------------------------------- logs


async def test_logs_are_read_whole_by_tail_and_of_the_life_before(running: Lab) -> None:
    async with running.api() as api:
        core = kubernetes.CoreV1Api(api)
        assert await core.read_namespaced_pod_log("a", "default") == "one\ntwo\nthree\n"
        tail = await core.read_namespaced_pod_log("a", "default", tail_lines=1)
        assert tail == "three\n"
        with pytest.raises(kubernetes.ApiException) as refused:
            await core.read_namespaced_pod_log("a", "default", previous=True)
        assert refused.value.status == 400
        running.node.written["a", True] = b"last words\n"
        assert await core.read_namespaced_pod_log("a", "default", previous=True) == "last words\n"


async def test_a_container_that_is_not_there_has_no_log(running: Lab) -> None:
    answer = await running.call("GET", f"{POD}/log?container=side")
    assert answer.message == "container side is not valid for pod a"


async def test_a_followed_log_goes_on_until_the_pod_is_gone(running: Lab) -> None:
    headers = {"Authorization": f"Bearer {ADMIN}"}
    url = f"{running.server.url}{POD}/log?follow=true&tailLines=1"
    async with running.http.get(url, headers=headers) as found:
        assert await found.content.readline() == b"three\n"
        running.node.written["a", False] += b"four\n"
        assert await found.content.readline() == b"four\n"
        running.store.delete("pods", "default", "a")
        assert await found.content.read() == b""


# ---------------------------------------------------------------------------------------- proxies


@pytest.fixture
async def port() -> AsyncGenerator[int]:
    """A server in the pod, which tells what it was asked."""

    async def tell(request: web.Request) -> web.Response:
        body: dict[str, Any] = {
            "method": request.method,
            "path": request.path_qs,
            "body": (await request.read()).decode(),
            "secret": request.headers.get("Authorization", ""),
        }
        return web.json_response(body, status=418)

    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", tell)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield int(runner.addresses[0][1])
    await runner.cleanup()


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
async def test_a_pods_proxy_passes_on_method_path_body_and_answer(
    running: Lab, port: int, method: str
) -> None:
    path = f"/api/v1/namespaces/default/pods/a:{port}/proxy/admin/x?y=1"
    answer = await running.call(method, path, {"k": "v"})
    assert answer.code == 418
    assert (answer.body["method"], answer.body["path"]) == (method, "/admin/x?y=1")
    assert json.loads(answer.body["body"]) == {"k": "v"}
    assert answer.body["secret"] == ""


async def test_a_services_proxy_reaches_a_ready_pod(running: Lab, port: int) -> None:
    ports = [{"name": "http", "port": 80, "targetPort": "http"}]
    meta = {"name": "web", "namespace": "default"}
    running.store.create("services", {"metadata": meta, "spec": {"ports": ports}})
    path = "/api/v1/namespaces/default/services/web:http/proxy/health"
    nobody = await running.call("GET", path)
    assert (nobody.code, nobody.reason) == (503, "ServiceUnavailable")
    subsets = [{"addresses": [{"ip": "127.0.0.1"}], "ports": [{"name": "http", "port": port}]}]
    running.store.create("endpoints", {"metadata": meta, "subsets": subsets})
    assert (await running.call("GET", path)).body["path"] == "/health"


async def test_a_pod_that_does_not_answer_is_503(running: Lab) -> None:
    answer = await running.call("GET", "/api/v1/namespaces/default/pods/a:1/proxy/")
    assert (answer.code, answer.reason) == (503, "ServiceUnavailable")
    assert "error trying to reach service" in answer.message


async def test_many_requests_are_served_at_once(running: Lab) -> None:
    async with asyncio.TaskGroup() as group:
        calls = [group.create_task(running.call("GET", POD)) for _ in range(50)]
    assert {call.result().code for call in calls} == {200}
