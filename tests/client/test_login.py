"""Credentials: how a session logs in, and whom it trusts."""

from pathlib import Path

import orjson
import pytest

from healer.client.kubernetes.cluster import Kubernetes, connect
from healer.errors import (
    ConfigError,
    RejectedError,
    UnavailableError,
)
from healer.lab.api.certificate import make_certificate
from healer.lab.api.kubeconfig import kubeconfig
from healer.lab.api.rbac import MASTERS, Identity
from healer.lab.api.server import ApiServer
from healer.lab.api.store import Store
from tests.fakes.kubeconfig import write_kubeconfig
from tests.fakes.kubelet import FakeNode
from tests.fakes.stub import Stub, refuses, says

POD = "/api/v1/namespaces/production/pods/api-0"


async def test_the_token_of_the_kubeconfig_is_sent(kubernetes: Kubernetes, stub: Stub) -> None:
    stub.on("GET", POD, says({"metadata": {"name": "api-0"}}))

    await kubernetes.pods.get("production", "api-0")

    assert stub.asked[0].headers["Authorization"] == "Bearer token-of-a-test"


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
