"""The client against an API server that answers what it should not."""

import asyncio
from datetime import timedelta
from pathlib import Path

import orjson
import pytest
from aiohttp import web

from healer.client.kubernetes.cluster import Kubernetes, connect
from healer.client.kubernetes.container import Pod
from healer.client.kubernetes.pod import LogRequest
from healer.errors import (
    ConfigError,
    PermanentError,
    RejectedError,
    TemporaryError,
    UnavailableError,
)
from healer.lab.api.certificate import make_certificate
from healer.lab.api.kubeconfig import kubeconfig
from healer.lab.api.rbac import MASTERS, Identity
from healer.lab.api.server import ApiServer
from healer.lab.api.store import Store
from tests.fakes.kubeconfig import write_kubeconfig
from tests.fakes.kubelet import FakeNode
from tests.fakes.stub import Handler, Stub, refuses, says

POD = "/api/v1/namespaces/production/pods/api-0"
DEPLOYMENT = "/apis/apps/v1/namespaces/production/deployments/api"
SCALE = f"{DEPLOYMENT}/scale"


async def test_the_token_of_the_kubeconfig_is_sent(kubernetes: Kubernetes, stub: Stub) -> None:
    stub.on("GET", POD, says({"metadata": {"name": "api-0"}}))

    await kubernetes.pods.get("production", "api-0")

    assert stub.asked[0].headers["Authorization"] == "Bearer token-of-a-test"


@pytest.mark.parametrize("code", [429, 500, 502, 503, 504])
async def test_an_overloaded_server_is_asked_again_later(
    kubernetes: Kubernetes, stub: Stub, code: int
) -> None:
    stub.on("GET", POD, says({}, status=code, headers={"Retry-After": "7"}))

    with pytest.raises(UnavailableError) as caught:
        await kubernetes.pods.get("production", "api-0")

    assert caught.value.retry_after == timedelta(seconds=7)
    assert len(stub.asked) == 1


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (400, "BadRequest"),
        (401, "Unauthorized"),
        (403, "Forbidden"),
        (404, "NotFound"),
        (409, "Conflict"),
        (409, "AlreadyExists"),
        (415, "UnsupportedMediaType"),
        (422, "Invalid"),
    ],
)
async def test_a_refusal_keeps_the_server_s_own_word_for_it(
    kubernetes: Kubernetes, stub: Stub, code: int, reason: str
) -> None:
    stub.on("GET", POD, refuses(code, reason, "not for you"))

    with pytest.raises(
        RejectedError, match=r"get pod production/api-0: HTTP .*not for you"
    ) as caught:
        await kubernetes.pods.get("production", "api-0")

    assert caught.value.reason == reason


async def test_a_refusal_without_a_status_body_is_named_by_its_code(
    kubernetes: Kubernetes, stub: Stub
) -> None:
    stub.on("GET", POD, says(raw=b"<html>no</html>", status=403))

    with pytest.raises(RejectedError, match="<html>no</html>") as caught:
        await kubernetes.pods.get("production", "api-0")

    assert caught.value.reason == "Forbidden"


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"null", b'"text"', b"{}", b"\xff\xfe"])
async def test_garbage_with_a_200_is_an_unavailable_server(
    kubernetes: Kubernetes, stub: Stub, body: bytes
) -> None:
    stub.on("GET", DEPLOYMENT, says(raw=body))

    with pytest.raises(UnavailableError, match="cannot be understood"):
        await kubernetes.workloads.get("production", "api")


async def test_a_server_that_does_not_answer_is_given_up_in_time(
    kubernetes: Kubernetes, stub: Stub
) -> None:
    released = asyncio.Event()

    async def hang(_: web.Request) -> web.StreamResponse:
        await released.wait()
        return web.Response()

    stub.on("GET", POD, hang)
    with pytest.raises(UnavailableError, match="no answer in time"):
        await kubernetes.pods.get("production", "api-0")
    released.set()


async def test_a_server_that_drips_is_given_up_in_time(kubernetes: Kubernetes, stub: Stub) -> None:
    async def drip(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while request.transport and not request.transport.is_closing():
            await response.write(b" ")
            await asyncio.sleep(0.05)
        return response

    stub.on("GET", POD, drip)
    with pytest.raises(UnavailableError, match="no answer in time"):
        await kubernetes.pods.get("production", "api-0")


async def test_a_connection_that_breaks_is_an_unavailable_server(
    kubernetes: Kubernetes, stub: Stub
) -> None:
    async def hang_up(request: web.Request) -> web.StreamResponse:
        assert request.transport
        request.transport.abort()
        return web.Response()

    stub.on("GET", POD, hang_up)
    with pytest.raises(UnavailableError, match=r"get pod production/api-0"):
        await kubernetes.pods.get("production", "api-0")


async def test_a_server_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    file = write_kubeconfig(tmp_path / "kubeconfig", server="http://127.0.0.1:1")
    cluster = await connect(file)
    with pytest.raises(UnavailableError):
        await cluster.pods.get("production", "api-0")
    await cluster.close()


@pytest.mark.parametrize("selector", ["", "  "])
async def test_an_empty_selector_means_nothing_and_is_never_sent(
    kubernetes: Kubernetes, stub: Stub, selector: str
) -> None:
    with pytest.raises(PermanentError, match="empty selector"):
        await kubernetes.pods.select("production", selector)

    assert stub.asked == []


async def test_a_deployment_that_selects_nothing_has_no_revisions(
    kubernetes: Kubernetes, stub: Stub
) -> None:
    stub.on("GET", DEPLOYMENT, says({"metadata": {"name": "api"}, "spec": {"selector": {}}}))
    found = await kubernetes.workloads.get("production", "api")

    with pytest.raises(PermanentError, match="selects nothing"):
        await kubernetes.workloads.revisions("production", found)

    assert len(stub.asked) == 1


@pytest.mark.parametrize(
    ("patch", "kind"),
    [
        ({"spec": {}}, "application/strategic-merge-patch+json"),
        ([{"op": "test"}], "application/json-patch+json"),
    ],
)
async def test_a_patch_says_what_kind_it_is(
    kubernetes: Kubernetes, stub: Stub, patch: object, kind: str
) -> None:
    stub.on("PATCH", DEPLOYMENT, says({"metadata": {}, "spec": {}}))

    await kubernetes.workloads.patch("production", "api", patch)  # type: ignore[arg-type]  # both shapes in one table

    assert stub.asked[0].headers["Content-Type"] == kind


async def test_a_dry_run_is_the_server_s_own(kubernetes: Kubernetes, stub: Stub) -> None:
    stub.on("PATCH", SCALE, says({"metadata": {}, "spec": {"replicas": 5}}))

    await kubernetes.workloads.set_scale("production", "api", 5, dry_run=True)
    await kubernetes.workloads.set_scale("production", "api", 5)

    assert [one.query.get("dryRun") for one in stub.asked] == ["All", None]


async def test_names_cannot_leave_their_place_in_the_path(
    kubernetes: Kubernetes, stub: Stub
) -> None:
    with pytest.raises(RejectedError):
        await kubernetes.pods.get("production", "../../secrets?x=1")

    assert stub.asked[0].path.startswith("/api/v1/namespaces/production/pods/")
    assert stub.asked[0].query == {}


async def test_null_is_as_good_as_absent(kubernetes: Kubernetes, stub: Stub) -> None:
    pod = {
        "metadata": {"name": "api-0", "labels": None, "annotations": None},
        "spec": {"containers": None, "volumes": None},
        "status": {"conditions": None, "containerStatuses": None, "phase": None},
    }
    stub.on("GET", POD, says(pod))

    found = await kubernetes.pods.get("production", "api-0")

    assert (found.ready, found.restarts, found.claims, found.trouble) == (False, 0, (), "not ready")


async def test_readiness_is_the_pod_s_condition_not_its_containers_word(
    kubernetes: Kubernetes, stub: Stub
) -> None:
    pod = {
        "metadata": {"name": "api-0"},
        "status": {
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": "False", "reason": "NodeNotReady"}],
            "containerStatuses": [{"name": "server", "ready": True}],
        },
    }
    stub.on("GET", POD, says(pod))

    found = await kubernetes.pods.get("production", "api-0")

    assert not found.ready
    assert found.trouble == "NodeNotReady"


async def test_a_log_that_is_no_utf8_is_read_all_the_same(
    kubernetes: Kubernetes, stub: Stub
) -> None:
    stub.on("GET", f"{POD}/log", says(raw=b"CUDA \xff\xfe error\n"))

    log = await kubernetes.pods.log("production", "api-0", LogRequest(previous=True, tail=5))

    assert log == "CUDA \ufffd\ufffd error\n"
    assert stub.asked[0].query["previous"] == "true"
    assert stub.asked[0].query["tailLines"] == "5"


async def test_a_log_is_read_up_to_a_bound(kubernetes: Kubernetes, stub: Stub) -> None:
    stub.on("GET", f"{POD}/log", says(raw=b"x" * 1000))

    assert len(await kubernetes.pods.log("production", "api-0", LogRequest(limit=100))) == 100


def _budget(*causes: str) -> Handler:
    found = [{"reason": "DisruptionBudget", "message": cause} for cause in causes]
    return refuses(429, "TooManyRequests", "Cannot evict pod", causes=found)


async def test_an_exhausted_budget_is_not_now_and_says_so(
    kubernetes: Kubernetes, stub: Stub
) -> None:
    stub.on("POST", f"{POD}/eviction", _budget("The disruption budget api needs 2 healthy pods"))

    with pytest.raises(
        TemporaryError, match=r"the budget allows no disruption now .*needs 2"
    ) as caught:
        await kubernetes.pods.evict("production", "api-0", uid="u-1")

    assert not isinstance(caught.value, UnavailableError)
    assert stub.asked[0].json["deleteOptions"]["preconditions"] == {"uid": "u-1"}


async def test_a_busy_server_is_not_taken_for_a_budget(kubernetes: Kubernetes, stub: Stub) -> None:
    stub.on("POST", f"{POD}/eviction", refuses(429, "TooManyRequests", "busy"))

    with pytest.raises(TemporaryError, match="too many requests: busy"):
        await kubernetes.pods.evict("production", "api-0")


async def test_two_budgets_on_one_pod_never_allow_an_eviction(
    kubernetes: Kubernetes, stub: Stub
) -> None:
    message = (
        "This pod has more than one PodDisruptionBudget, "
        "which the eviction subresource does not support."
    )
    stub.on("POST", f"{POD}/eviction", refuses(500, "InternalError", message))

    with pytest.raises(PermanentError, match="two budgets"):
        await kubernetes.pods.evict("production", "api-0")


async def test_a_kubeconfig_that_is_none_is_told_with_its_path(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"missing.*cannot log in to Kubernetes"):
        await connect(tmp_path / "missing")


async def test_an_expired_login_is_renewed_from_the_kubeconfig_once(
    kubernetes: Kubernetes, stub: Stub, tmp_path: Path
) -> None:
    expired = refuses(401, "Unauthorized", "Unauthorized")
    stub.on("GET", POD, expired, says({"metadata": {"name": "api-0"}}))
    write_kubeconfig(tmp_path / "kubeconfig", server=stub.url, token="fresh")

    await kubernetes.pods.get("production", "api-0")

    tokens = [one.headers["Authorization"] for one in stub.asked]
    assert tokens == ["Bearer token-of-a-test", "Bearer fresh"]


@pytest.mark.parametrize("readable", [True, False])
async def test_a_login_that_cannot_be_renewed_is_told_as_the_refusal_that_it_is(
    kubernetes: Kubernetes, stub: Stub, tmp_path: Path, *, readable: bool
) -> None:
    stub.on("GET", POD, refuses(401, "Unauthorized", "Unauthorized"))
    if not readable:
        (tmp_path / "kubeconfig").unlink()

    with pytest.raises(RejectedError) as caught:
        await kubernetes.pods.get("production", "api-0")

    assert caught.value.reason == "Unauthorized"
    assert len(stub.asked) == 2 if readable else 1


async def test_the_server_s_certificate_is_checked(tmp_path: Path) -> None:
    certificate = make_certificate()
    store, node = Store(), FakeNode()
    admin = {"token": Identity(user="admin", groups=frozenset({MASTERS}))}
    async with ApiServer(store=store, node=node, tokens=admin, tls=certificate.context) as server:
        trusting = tmp_path / "trusting"
        trusting.write_bytes(orjson.dumps(kubeconfig(server.url, "token", ca=certificate.pem)))
        doubting = tmp_path / "doubting"
        doubting.write_bytes(orjson.dumps(kubeconfig(server.url, "token")))
        good, bad = await connect(trusting), await connect(doubting)

        assert await good.workloads.select("default") == ()
        with pytest.raises(UnavailableError, match="Certificate"):
            await bad.workloads.select("default")
        await good.close()
        await bad.close()


async def test_outside_a_cluster_there_is_no_service_account(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)

    with pytest.raises(ConfigError, match="in-cluster credentials"):
        await connect(None)


async def test_events_of_all_writers_are_ordered_by_the_newest_time_that_they_carry(
    kubernetes: Kubernetes, stub: Stub
) -> None:
    def event(reason: str, **times: object) -> object:
        return {"metadata": {"name": reason}, "reason": reason, **times}

    items = [
        event("Late", lastTimestamp="2026-01-01T00:00:09Z", count=3),
        event("Timeless", firstTimestamp=None, lastTimestamp=None, count=None),
        event("Scheduled", eventTime="2026-01-01T00:00:05.000001Z", lastTimestamp=None),
        event("Repeated", series={"count": 7, "lastObservedTime": "2026-01-01T00:00:07Z"}),
    ]
    stub.on("GET", "/api/v1/namespaces/production/events", says({"items": items}))

    found = await kubernetes.pods.events("production")

    assert [one.reason for one in found] == ["Timeless", "Scheduled", "Repeated", "Late"]
    assert [one.times for one in found] == [1, 1, 7, 3]


@pytest.mark.parametrize(
    ("frames", "error"),
    [
        ([], UnavailableError),
        ([b"\x01out"], UnavailableError),
        ([b"\x03garbage"], UnavailableError),
        ([b"", b"\x03" + b'{"status":"Failure","message":"no such file"}'], RejectedError),
    ],
)
async def test_an_exec_without_an_exit_code_is_never_a_success(
    kubernetes: Kubernetes, stub: Stub, frames: list[bytes], error: type[Exception]
) -> None:
    async def speak(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse(protocols=("v4.channel.k8s.io",))
        await socket.prepare(request)
        for frame in frames:
            await socket.send_bytes(frame)
        await socket.close()
        return socket

    stub.on("GET", f"{POD}/exec", speak)
    pod = Pod.model_validate({"metadata": {"name": "api-0"}})

    with pytest.raises(error):
        await kubernetes.pods.exec(
            "production", pod, command=["true"], timeout=timedelta(seconds=5)
        )


@pytest.mark.parametrize(
    ("code", "kind"), [(403, RejectedError), (404, RejectedError), (503, UnavailableError)]
)
async def test_a_handshake_that_fails_is_told_like_any_other_refusal(
    kubernetes: Kubernetes, stub: Stub, code: int, kind: type[Exception]
) -> None:
    stub.on("GET", f"{POD}/exec", says({}, status=code))
    pod = Pod.model_validate({"metadata": {"name": "api-0"}})

    with pytest.raises(kind, match=f"exec in pod production/api-0: HTTP {code}"):
        await kubernetes.pods.exec(
            "production", pod, command=["true"], timeout=timedelta(seconds=5)
        )


def test_the_container_that_is_meant_is_the_one_that_kubectl_means() -> None:
    spec = {"containers": [{"name": "proxy"}, {"name": "server"}]}
    note = {"kubectl.kubernetes.io/default-container": "server"}
    chosen = Pod.model_validate({"metadata": {"name": "a", "annotations": note}, "spec": spec})
    first = Pod.model_validate({"metadata": {"name": "a"}, "spec": spec})

    assert (chosen.main_container, first.main_container) == ("server", "proxy")
