"""Pods: logs, events, evictions and exec, as an API server may answer them."""

from datetime import timedelta

import pytest
from aiohttp import web

from healer.client.kubernetes.cluster import Kubernetes
from healer.client.kubernetes.container import Pod
from healer.client.kubernetes.pod import LogRequest
from healer.errors import (
    PermanentError,
    RejectedError,
    TemporaryError,
    UnavailableError,
)
from tests.fakes.stub import Handler, Stub, refuses, says

POD = "/api/v1/namespaces/production/pods/api-0"


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
