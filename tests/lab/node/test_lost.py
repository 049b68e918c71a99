"""A node that cannot run containers any more says so, and once it can, its pods are ready again."""

from pathlib import Path

from healer.lab.contract import Object
from healer.lab.node.status import ContainerView, PodView
from healer.lab.node.voice import Voice
from tests.fakes.cluster import FakeCluster
from tests.fakes.node import Lab, Start, pod

UNREADY = {"type": "Ready", "status": "False", "reason": "NodeNotReady"}


def condition(found: Object | None) -> str:
    """Of a node or a pod: whether it is ready, in the words of the API."""
    conditions: list[Object] = (found or {}).get("status", {}).get("conditions", [])
    return next((str(one["status"]) for one in conditions if one["type"] == "Ready"), "")


def is_node(lab: Lab, word: str) -> bool:
    return condition(lab.cluster.get("nodes", "", "lab-1")) == word


def is_web(lab: Lab, word: str) -> bool:
    return condition(lab.cluster.get("pods", "test", "web")) == word


def unready(web: Object) -> None:
    """As the node controller writes while the node is not ready."""
    kept = [one for one in web["status"]["conditions"] if one["type"] != "Ready"]
    web["status"]["conditions"] = [*kept, UNREADY]


async def test_a_node_without_its_folder_for_logs_is_not_ready_until_it_is_back(
    start: Start, tmp_path: Path
) -> None:
    async with start(heartbeat=0.05) as lab:
        lab.run(image="shell", args=["sleep 60"])
        await lab.cluster.until(lambda: is_web(lab, "True"))
        (logs,) = tmp_path.glob("healer-lab-*/logs")  # noqa: ASYNC240 one name, once
        aside = logs.rename(logs.with_name("aside"))
        await lab.cluster.until(lambda: is_node(lab, "False"))
        lab.cluster.update("pods", "test", "web", unready)

        aside.rename(logs)

        await lab.cluster.until(lambda: is_node(lab, "True"))
        await lab.cluster.until(lambda: is_web(lab, "True"))


def test_a_node_that_cannot_know_how_a_pod_does_leaves_its_status_as_others_wrote_it() -> None:
    cluster = FakeCluster()
    made = cluster.create("pods", pod("web"))
    able = [False]
    view = PodView(container=ContainerView(name="main", image="shell"))
    voice = Voice(cluster=cluster, pod=made, view=view, able=lambda: able[0])

    voice.publish()
    assert "status" not in (cluster.get("pods", "test", "web") or {})

    able[0] = True
    voice.publish()
    assert "status" in (cluster.get("pods", "test", "web") or {})
