"""The client against an API server that answers what it should not."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from healer.client.kubernetes.cluster import Kubernetes, connect
from healer.errors import (
    PermanentError,
    RejectedError,
    UnavailableError,
)
from tests.fakes.kubeconfig import write_kubeconfig
from tests.fakes.stub import Stub, drips, hangs, hangs_up, refuses, says

POD = "/api/v1/namespaces/production/pods/api-0"
DEPLOYMENT = "/apis/apps/v1/namespaces/production/deployments/api"
SCALE = f"{DEPLOYMENT}/scale"


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
    stub.on("GET", POD, hangs(released))
    with pytest.raises(UnavailableError, match="no answer in time"):
        await kubernetes.pods.get("production", "api-0")
    released.set()


async def test_a_server_that_drips_is_given_up_in_time(kubernetes: Kubernetes, stub: Stub) -> None:
    stub.on("GET", POD, drips)
    with pytest.raises(UnavailableError, match="no answer in time"):
        await kubernetes.pods.get("production", "api-0")


async def test_a_connection_that_breaks_is_an_unavailable_server(
    kubernetes: Kubernetes, stub: Stub
) -> None:
    stub.on("GET", POD, hangs_up)
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
