"""kubernetes.nodes over the lab's API server."""

import pytest

from healer.check.contract import CheckContext
from healer.check.kubernetes.node import Nodes, NodesParams
from healer.lab.contract import Object
from tests.fakes.kubelet import node_object
from tests.fakes.lab import Lab

PARAMS = NodesParams()


def change(lab: Lab, name: str, **conditions: str) -> None:
    def write(node: Object) -> None:
        told = [{"type": kind, "status": status} for kind, status in conditions.items()]
        node["status"]["conditions"] = told

    assert lab.store.update("nodes", "", name, write)


async def test_gpus_are_counted_and_a_ready_node_is_enough(lab: Lab, ctx: CheckContext) -> None:
    lab.store.create("nodes", node_object("gpu-1", **{"nvidia.com/gpu": "4"}))

    found = await Nodes(lab.admin).look(PARAMS, ctx)

    assert found.holds
    told = {"total": 2, "ready": 2, "schedulable": 2, "gpus": 4, "gpu_nodes": 1}
    assert told.items() <= found.evidence.items()
    assert found.evidence["not_ready"] == found.evidence["pressure"] == []


@pytest.mark.parametrize("status", ["False", "Unknown"])
async def test_a_node_is_not_ready_by_its_condition_and_its_gpus_do_not_count(
    lab: Lab, ctx: CheckContext, status: str
) -> None:
    lab.store.create("nodes", node_object("gpu-1", **{"nvidia.com/gpu": "4"}))
    change(lab, "gpu-1", Ready=status)

    found = await Nodes(lab.admin).look(PARAMS, ctx)

    told = {"total": 2, "ready": 1, "not_ready": ["gpu-1"], "gpus": 0}
    assert told.items() <= found.evidence.items()


async def test_a_cordoned_node_is_ready_and_takes_no_pods(lab: Lab, ctx: CheckContext) -> None:
    assert lab.store.update(
        "nodes", "", "lab-1", lambda one: one["spec"].update(unschedulable=True)
    )

    found = await Nodes(lab.admin).look(PARAMS, ctx)

    assert not found.holds
    told = {"ready": 1, "schedulable": 0, "cordoned": ["lab-1"]}
    assert told.items() <= found.evidence.items()


async def test_pressure_is_named(lab: Lab, ctx: CheckContext) -> None:
    change(lab, "lab-1", Ready="True", MemoryPressure="True", DiskPressure="False")

    found = await Nodes(lab.admin).look(PARAMS, ctx)

    assert not found.holds
    assert found.evidence["pressure"] == ["lab-1"]
    assert "lab-1 has MemoryPressure" in found.summary


async def test_nodes_are_of_the_cluster_and_so_is_the_right_to_list_them() -> None:
    class Nobody:
        nodes = None

    (right,) = Nodes(Nobody()).permissions(PARAMS, namespace="production")  # type: ignore[arg-type] # rights are asked without a cluster

    assert (right.resource, right.verb, right.namespace) == ("nodes", "list", "")
