"""kubectl itself against the lab: what people type must work."""

import asyncio
import json
import shutil
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path

import pytest

from healer.lab.api.certificate import make_certificate
from tests.fakes.apiserver import JANE, Lab, deployment, living, serve

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not on PATH"),
]
Kubectl = Callable[..., Awaitable[str]]


@pytest.fixture
async def alive() -> AsyncGenerator[Lab]:
    """A whole cluster behind TLS: kubectl sends tokens over nothing else."""
    async with serve(make_certificate()) as lab, living(lab) as found:
        yield found


@pytest.fixture
def kubectl(alive: Lab, tmp_path: Path) -> Kubectl:
    """Run kubectl; what it printed, or complained where it is to fail."""

    async def run(*words: str, stdin: str = "", token: str = "", fails: bool = False) -> str:
        file = alive.kubeconfig(tmp_path, token) if token else alive.kubeconfig(tmp_path)
        process = await asyncio.create_subprocess_exec(
            "kubectl",
            *words,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={"KUBECONFIG": str(file), "HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
        )
        try:
            async with asyncio.timeout(30):
                out, error = await process.communicate(stdin.encode())
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        assert (process.returncode != 0) is fails, error.decode()
        return (error if fails else out).decode()

    return run


@pytest.fixture
async def web(kubectl: Kubectl) -> str:
    """A deployment that has come up."""
    await kubectl("apply", "-f", "-", stdin=json.dumps(deployment()))
    await kubectl("rollout", "status", "deployment/web", "--timeout=20s")
    return "deployment/web"


async def test_a_deployment_is_applied_shown_described_and_deleted(
    kubectl: Kubectl, web: str, alive: Lab
) -> None:
    assert "unchanged" in await kubectl("apply", "-f", "-", stdin=json.dumps(deployment()))
    changed = json.dumps(deployment(image="server:2"))
    assert "configured" in await kubectl("apply", "-f", "-", stdin=changed)
    assert "3/3" in await kubectl("get", web)
    described = await kubectl("describe", web)
    assert "3 desired" in described
    assert "ScalingReplicaSet" in described
    assert "web-" in await kubectl("get", "pods", "-o", "wide")
    found = json.loads(await kubectl("get", web, "-o", "json"))
    assert found["spec"]["template"]["spec"]["containers"][0]["image"] == "server:2"
    await kubectl("delete", web)
    await alive.until(lambda: not alive.pods())


async def test_scale_and_wait(kubectl: Kubectl, web: str, alive: Lab) -> None:
    assert "scaled" in await kubectl("scale", web, "--replicas=5", "--current-replicas=3")
    await kubectl("wait", "--for=jsonpath={.status.readyReplicas}=5", web, "--timeout=20s")
    assert len(alive.pods()) == 5
    await kubectl("scale", web, "--replicas=1", "--dry-run=server")
    assert len(alive.pods()) == 5
    refused = await kubectl("scale", web, "--replicas=2", "--current-replicas=3", fails=True)
    assert "Expected replicas to be 3, was 5" in refused


async def test_restart_status_history_and_undo(kubectl: Kubectl, web: str, alive: Lab) -> None:
    before = {pod["metadata"]["uid"] for pod in alive.pods()}
    await kubectl("rollout", "restart", web)
    await kubectl("rollout", "status", web, "--timeout=20s")
    assert before.isdisjoint(pod["metadata"]["uid"] for pod in alive.pods())
    await kubectl("set", "image", web, "main=server:2")
    await kubectl("rollout", "status", web, "--timeout=20s")
    await kubectl("rollout", "undo", web)
    await kubectl("rollout", "status", web, "--timeout=20s")
    images = {pod["spec"]["containers"][0]["image"] for pod in alive.pods()}
    assert images == {"server:1"}
    history = await kubectl("rollout", "history", web)
    assert [line.split()[0] for line in history.splitlines()[2:] if line] == ["1", "3", "4"]
    await kubectl("rollout", "undo", web, "--to-revision=3")
    await kubectl("rollout", "status", web, "--timeout=20s")
    images = {pod["spec"]["containers"][0]["image"] for pod in alive.pods()}
    assert images == {"server:2"}


async def test_patch_label_annotate_and_set_env(kubectl: Kubectl, web: str) -> None:
    await kubectl("patch", web, "-p", '{"spec":{"replicas":2}}')
    operations = '[{"op":"replace","path":"/spec/replicas","value":4}]'
    await kubectl("patch", web, "--type=json", "-p", operations)
    await kubectl("label", web, "x=y")
    await kubectl("annotate", web, "note=hello")
    await kubectl("set", "env", web, "B=2")
    found = json.loads(await kubectl("get", web, "-o", "json"))
    env = found["spec"]["template"]["spec"]["containers"][0]["env"]
    assert env == [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]
    assert (found["spec"]["replicas"], found["metadata"]["labels"]["x"]) == (4, "y")


async def test_logs_and_exec_with_its_exit_code(kubectl: Kubectl, web: str, alive: Lab) -> None:
    assert await kubectl("logs", web, "--tail=1") == "world\n"
    name = alive.pods()[0]["metadata"]["name"]
    alive.node.answers["echo hi"] = ([(1, b"hi\n")], 0)
    alive.node.answers["false"] = ([(2, b"no\n")], 3)
    assert await kubectl("exec", name, "--", "echo", "hi") == "hi\n"
    assert "exit code 3" in await kubectl("exec", name, "--", "false", fails=True)
    assert await kubectl("exec", "-i", name, "--", "cat", stdin="through\n") == "through\n"


async def test_delete_a_pod_and_it_comes_back_under_another_name(
    kubectl: Kubectl, web: str, alive: Lab
) -> None:
    name = alive.pods()[0]["metadata"]["name"]
    assert f'pod "{name}" deleted' in await kubectl("delete", "pod", name)
    await kubectl("wait", "--for=condition=Available", web, "--timeout=20s")
    await alive.until(lambda: len(alive.pods()) == 3)
    assert name not in {pod["metadata"]["name"] for pod in alive.pods()}


async def test_cordon_and_drain_go_through_eviction(kubectl: Kubectl, web: str, alive: Lab) -> None:
    await kubectl("drain", "lab-1", "--timeout=20s")
    await alive.until(lambda: all(not pod["spec"].get("nodeName") for pod in alive.pods()))
    assert "SchedulingDisabled" in await kubectl("get", "nodes")
    events = await kubectl("get", "events")
    assert "0/1 nodes are available: 1 node(s) were unschedulable." in events
    await kubectl("uncordon", "lab-1")
    await kubectl("rollout", "status", web, "--timeout=20s")


async def test_rights_are_asked_and_refused(kubectl: Kubectl) -> None:
    assert await kubectl("auth", "can-i", "delete", "pods") == "yes\n"
    refused = await kubectl("get", "pods", token=JANE, fails=True)
    assert 'User "jane" cannot list resource "pods"' in refused
    await kubectl("create", "role", "reader", "--verb=get,list", "--resource=pods")
    await kubectl("create", "rolebinding", "reader", "--role=reader", "--user=jane")
    assert await kubectl("get", "pods", "-o", "name", token=JANE) == ""


async def test_what_kubectl_sends_in_protobuf_is_read(
    kubectl: Kubectl, alive: Lab, tmp_path: Path
) -> None:
    file = tmp_path / "data.bin"
    file.write_bytes(b"\xff\x00")
    await kubectl("create", "configmap", "m", "--from-literal=x=1", f"--from-file={file}")
    await kubectl("create", "secret", "generic", "s", "--from-literal=key=value")
    await kubectl("create", "serviceaccount", "robot")
    found = alive.store.get("configmaps", "default", "m") or {}
    assert (found["data"], found["binaryData"]) == ({"x": "1"}, {"data.bin": "/wA="})
    found = alive.store.get("secrets", "default", "s") or {}
    assert (found["data"], found["type"]) == ({"key": "dmFsdWU="}, "Opaque")
    assert alive.store.get("serviceaccounts", "default", "robot") is not None


async def test_a_namespace_goes_with_all_that_is_in_it(kubectl: Kubectl, alive: Lab) -> None:
    await kubectl("create", "namespace", "tmp")
    body = deployment()
    body["metadata"]["namespace"] = "tmp"
    await kubectl("apply", "--server-side", "-f", "-", stdin=json.dumps(body))
    await kubectl("-n", "tmp", "rollout", "status", "deployment/web", "--timeout=20s")
    await kubectl("delete", "namespace", "tmp", "--timeout=20s")
    assert alive.store.list("deployments", "tmp") == alive.pods("tmp") == []
