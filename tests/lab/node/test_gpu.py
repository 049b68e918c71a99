"""A node with GPUs and one without: what it tells, and what its pods find."""

import json
import sys
from pathlib import Path

import pytest

from healer.lab.contract import Object
from healer.lab.gpu.build import LIBRARY, RESOURCE, Gpus, build
from tests.fakes.node import Lab, Start

ASK = [sys.executable, "-m", "inference", "gpu"]
WITH_GPU = {"limits": {RESOURCE: "1"}}
ROOT = str(Path(__file__).parents[3])


async def gpus(folder: Path) -> Gpus:
    said: list[str] = []
    built = await build(folder, say=said.append)
    if built is None:
        pytest.skip(said[0])
    return Gpus(folder=built, count=2, memory=300 * 2**20)


async def capacity(lab: Lab) -> Object:
    """What the node says that it has."""
    await lab.cluster.until(lambda: (lab.cluster.get("nodes", "", "lab-1") or {}).get("status"))
    node = lab.cluster.get("nodes", "", "lab-1")
    assert node is not None
    found: Object = node["status"]["capacity"]
    return found


async def told(lab: Lab, **parts: object) -> Object:
    """What a pod's program finds of GPUs."""
    lab.run(command=ASK, args=[], workingDir=ROOT, restartPolicy="Never", **parts)
    await lab.ended()
    found: Object = json.loads(await lab.node.logs("test", "web"))
    return found


async def test_a_pod_that_asks_for_a_gpu_finds_one_of_that_size(
    start: Start, tmp_path: Path
) -> None:
    async with start(gpus=await gpus(tmp_path / "gpu")) as lab:
        assert (await capacity(lab))[RESOURCE] == "2"
        assert lab.node.has_gpus
        found = await told(lab, resources=WITH_GPU)
    (device,) = found["devices"]
    assert device["memory_used_bytes"] + device["memory_free_bytes"] == 300 * 2**20


async def test_a_pod_that_asks_for_none_finds_none(start: Start, tmp_path: Path) -> None:
    async with start(gpus=await gpus(tmp_path / "gpu")) as lab:
        assert (await told(lab))["provider"] == "none"


async def test_a_node_without_gpus_says_nothing_of_them(start: Start) -> None:
    async with start() as lab:
        assert RESOURCE not in await capacity(lab)
        assert not lab.node.has_gpus


async def test_a_node_whose_driver_is_gone_has_no_gpu_any_more(
    start: Start, tmp_path: Path
) -> None:
    found = await gpus(tmp_path / "gpu")
    (found.folder / LIBRARY).unlink()
    async with start(gpus=found) as lab:
        assert (await capacity(lab))[RESOURCE] == "0"
        assert not lab.node.has_gpus


async def test_without_a_compiler_there_is_no_gpu_and_it_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    said: list[str] = []
    assert await build(tmp_path / "gpu", say=said.append) is None
    assert said == ["No C compiler (cc, gcc, clang, tcc): the lab's node has no GPU."]


async def test_a_source_that_cannot_be_built_is_no_gpu_either(tmp_path: Path) -> None:
    await gpus(tmp_path / "probe")
    said: list[str] = []
    assert await build(tmp_path / "gpu", say=said.append, flags=["-DSTANDIN_ECC=)"]) is None
    assert "could not be built" in said[0]
