"""The node over the lab's real object store, with a pod of the shipped manifests."""

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from healer.lab.api.store import Store
from healer.lab.contract import Object
from healer.lab.manifest import load
from healer.lab.node.ground import Settings
from healer.lab.node.node import ProcessNode

SHIPPED = Path(__file__).parents[3] / "deploy" / "inference"
SERVER = """
import http.server, os, sys
options = dict(word.split("=", 1) for word in sys.argv[1:] if "=" in word)
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
    def log_message(self, *a): pass
print(sys.argv[1], os.listdir(options["--config"]), os.path.ismount(options["--ssd-dir"]),
      os.environ["INFERENCE_ADMIN_KEY"], flush=True)
address = (options["--host"], int(options["--port"]))
http.server.HTTPServer(address, Answer).serve_forever()
"""


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not holds():  # noqa: ASYNC110 a plain store has no bell
            await asyncio.sleep(0.02)


def ready(pod: Object | None) -> bool:
    conditions = (pod or {}).get("status", {}).get("conditions", [])
    return {"Ready": "True"}.items() <= {
        item["type"]: item["status"] for item in conditions
    }.items()


@pytest.mark.parametrize(
    ("folder", "claim", "secret"),
    [
        ("llm-inference", "llm-model-pvc", "llm-inference-admin"),
        ("largeforge", "largeforge-model-pvc", "largeforge-admin"),
    ],
)
async def test_a_pod_of_a_shipped_deployment_becomes_ready_and_ends(
    tmp_path: Path, folder: str, claim: str, secret: str
) -> None:
    server = tmp_path / "server.py"
    server.write_text(SERVER)
    store = Store()
    plural = {"PersistentVolumeClaim": "persistentvolumeclaims", "ConfigMap": "configmaps"}
    deployment: Object = {}
    claims = {f"PersistentVolumeClaim/{claim}": "1Mi"}
    for obj in load(SHIPPED / folder, sizes=claims, say=lambda _: None):
        if obj["kind"] in plural:
            store.create(plural[obj["kind"]], obj)
        elif obj["kind"] == "Deployment":
            deployment = obj
    space = deployment["metadata"]["namespace"]
    key = {"metadata": {"name": secret, "namespace": space}}
    store.create("secrets", {**key, "data": {"key": "czNjcmV0"}})
    template = deployment["spec"]["template"]
    meta = {**template["metadata"], "name": "one", "namespace": space}
    store.create("pods", {"metadata": meta, "spec": {**template["spec"], "nodeName": "lab-1"}})
    images = {"inference": [sys.executable, "-S", str(server)]}
    node = ProcessNode(store, settings=Settings(images=images), folder=tmp_path)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(node.run())
        await until(lambda: ready(store.get("pods", space, "one")))
        written = (await node.logs(space, "one")).decode()
        assert written.startswith("serve")
        assert "maxNumSeqs" in written
        assert written.endswith("True s3cret\n")

        def end(pod: Object) -> None:
            pod["metadata"] |= {
                "deletionTimestamp": "2030-01-01T00:00:00Z",
                "deletionGracePeriodSeconds": 1,
            }

        store.update("pods", space, "one", end)
        await until(lambda: store.get("pods", space, "one") is None)
        reasons = {event["reason"] for event in store.list("events")}
        assert reasons >= {"Pulled", "Created", "Started", "Killing", "ProvisioningSucceeded"}
        running.cancel()
