"""A node that cannot run containers any more says so, and once it can, its pods are ready again."""

from pathlib import Path

from healer.lab.contract import Object
from tests.fakes.node import Lab, Start

UNREADY = {"type": "Ready", "status": "False", "reason": "NodeNotReady"}


def condition(found: Object | None) -> str:
    """Of a node or a pod: whether it is ready, in the words of the API."""
    conditions: list[Object] = (found or {}).get("status", {}).get("conditions", [])
    return next((str(one["status"]) for one in conditions if one["type"] == "Ready"), "")


def is_node(lab: Lab, word: str) -> bool:
    return condition(lab.cluster.get("nodes", "", "lab-1")) == word


def is_pod(lab: Lab, word: str) -> bool:
    return condition(lab.cluster.get("pods", "test", "web")) == word


def unready(pod: Object) -> None:
    """As the node controller writes while the node is not ready."""
    kept = [one for one in pod["status"]["conditions"] if one["type"] != "Ready"]
    pod["status"]["conditions"] = [*kept, UNREADY]


async def test_a_node_without_its_folder_for_logs_is_not_ready_until_it_is_back(
    start: Start, tmp_path: Path
) -> None:
    async with start(heartbeat=0.05) as lab:
        lab.run(image="shell", args=["sleep 60"])
        await lab.cluster.until(lambda: is_pod(lab, "True"))
        (logs,) = tmp_path.glob("healer-lab-*/logs")  # noqa: ASYNC240 one name, once
        aside = logs.rename(logs.with_name("aside"))
        await lab.cluster.until(lambda: is_node(lab, "False"))
        lab.cluster.update("pods", "test", "web", unready)

        aside.rename(logs)

        await lab.cluster.until(lambda: is_node(lab, "True"))
        await lab.cluster.until(lambda: is_pod(lab, "True"))
