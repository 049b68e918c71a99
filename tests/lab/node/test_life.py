"""How containers come to life and to death."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from healer.lab.node import memory
from tests.fakes.node import Lab, Start, mounted, shell

LAB = """
import asyncio, sys
from pathlib import Path
from healer.lab.node.ground import Settings
from healer.lab.node.node import ProcessNode
from tests.fakes.cluster import FakeCluster
from tests.fakes.node import pod, shell

async def main():
    cluster = FakeCluster()
    script = "sh -c 'echo $$$$; exec sleep 300' & echo $$$$; exec sleep 300"
    cluster.create("pods", pod("web", **shell(script, restartPolicy="Always")))
    settings = Settings(images={"shell": ["sh", "-c"]})
    node = ProcessNode(cluster, settings=settings, folder=Path(sys.argv[1]))
    async with asyncio.TaskGroup() as group:
        group.create_task(node.run())
        while True:
            try:
                pids = (await node.logs("test", "web")).split()
            except LookupError:
                pids = []
            if len(pids) == 2:
                print(*(int(pid) for pid in pids), node._ground.holder.pid, flush=True)
                await asyncio.sleep(300)
            await asyncio.sleep(0.02)

asyncio.run(main())
"""


def alive(pid: int) -> bool:
    """Whether it still runs; what nobody has reaped yet is dead as well."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


async def test_when_the_lab_is_killed_nothing_of_it_survives(tmp_path: Path) -> None:
    lab = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        LAB,
        str(tmp_path),
        stdout=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parents[3],
    )
    assert lab.stdout is not None
    try:
        async with asyncio.timeout(20):
            pids = [int(pid) for pid in (await lab.stdout.readline()).split()]
        assert len(pids) == 3
        assert all(alive(pid) for pid in pids)
    finally:
        lab.kill()
        await lab.wait()
    async with asyncio.timeout(10):
        while any(alive(pid) for pid in pids):  # noqa: ASYNC110 strangers' deaths are no events
            await asyncio.sleep(0.02)


async def test_a_killed_container_is_restarted_and_its_signal_remembered(lab: Lab) -> None:
    lab.run(**shell("echo $$$$; exec sleep 300", restartPolicy="Always"))
    await lab.running()
    await lab.logged("\n")
    os.kill(int(await lab.log()), signal.SIGKILL)
    await lab.cluster.until(lambda: lab.container().get("restartCount") == 1)
    last = lab.container()["lastState"]["terminated"]
    assert (last["exitCode"], last["signal"], last["reason"]) == (137, 9, "Error")


async def test_containers_step_back_for_what_would_not_share_their_cpus(lab: Lab) -> None:
    lab.run(**shell("nice", restartPolicy="Never"))
    await lab.ended()
    assert int(await lab.log()) == min(os.nice(0) + 10, 19)


async def test_a_program_that_is_not_there_is_a_start_error(lab: Lab) -> None:
    lab.run(**shell("", command=["no-such-program"]))
    ended = await lab.ended()
    assert ended["reason"] == "StartError"
    assert "No such file" in ended["message"]


async def test_an_unknown_image_cannot_be_pulled(lab: Lab) -> None:
    lab.run(image="server:broken")
    await lab.cluster.until(lambda: "Failed" in lab.cluster.reasons("web"))
    waiting = lab.container()["state"]["waiting"]
    assert waiting["reason"] == "ImagePullBackOff"
    assert "server:broken" in waiting["message"]
    assert lab.status()["phase"] == "Pending"
    lab.delete()
    await lab.gone()


async def test_a_missing_key_of_the_environment_is_waited_for(lab: Lab) -> None:
    reference = {"secretKeyRef": {"name": "late", "key": "key"}}
    lab.run(**shell("echo $KEY", env=[{"name": "KEY", "valueFrom": reference}]))
    await lab.cluster.until(lambda: "Failed" in lab.cluster.reasons("web"))
    assert lab.container()["state"]["waiting"]["reason"] == "CreateContainerConfigError"
    lab.create("secrets", "late", stringData={"key": "here"})
    await lab.ended()
    assert await lab.log() == "here\n"


async def test_init_containers_run_to_their_end_before_the_main_one(lab: Lab) -> None:
    parts = mounted("/scratch", emptyDir={})
    init = {"name": "first", "image": "shell", "args": ["echo ready > /scratch/it"]}
    init["volumeMounts"] = parts["volumeMounts"]
    lab.run(**shell("cat /scratch/it", initContainers=[init], **parts))
    await lab.ended()
    assert await lab.log() == "ready\n"
    done = lab.status()["initContainerStatuses"][0]
    assert done["state"]["terminated"]["reason"] == "Completed"


async def test_an_init_container_is_repeated_until_it_succeeds(lab: Lab) -> None:
    parts = mounted("/scratch", emptyDir={})
    script = "test -e /scratch/tried || { touch /scratch/tried; exit 1; }"
    init = {"name": "first", "image": "shell", "args": [script], **parts}
    del init["volumes"]
    lab.run(**shell("echo main", initContainers=[init], **parts) | {"restartPolicy": "OnFailure"})
    await lab.cluster.until(lambda: lab.status().get("phase") == "Succeeded")
    assert lab.status()["initContainerStatuses"][0]["restartCount"] == 1


async def test_before_the_stop_the_hook_runs_inside_the_container(lab: Lab) -> None:
    lab.claim("kept", "1Mi")
    hook = {"preStop": {"exec": {"command": ["sh", "-c", "echo bye > /kept/word"]}}}
    claim = {"claimName": "kept"}
    lab.run(lifecycle=hook, **mounted("/kept", persistentVolumeClaim=claim))
    await lab.running()
    lab.delete()
    await lab.gone()
    assert (lab.node.volume("test", "kept") / "word").read_text() == "bye\n"


async def test_with_its_container_a_command_inside_it_ends(lab: Lab) -> None:
    lab.run()
    await lab.running()
    process = await lab.node.exec("test", "web", ["sleep", "300"])
    lab.delete(grace=0)
    async with asyncio.timeout(5):
        assert await process.wait() == 137


async def test_a_pod_that_is_replaced_under_the_same_name_is_another_pod(lab: Lab) -> None:
    lab.run(**shell("echo first; exec sleep 300"))
    await lab.running()
    await lab.logged("first")
    lab.cluster.delete("pods", "test", "web")
    lab.run(**shell("echo second"))
    await lab.ended()
    assert await lab.log() == "second\n"


def waits(go: Path) -> bool:
    """Has the script come so far that it waits for this file?"""
    return go.with_suffix(".soon").exists()


async def test_of_a_log_the_newer_part_is_kept(start: Start, tmp_path: Path) -> None:
    """What is written in the very moment of shortening may be lost, so the last lines wait."""
    lines, go = "while [ $i -lt 2000 ]; do echo line $i; i=$((i+1)); done", tmp_path / "go"
    wait = f"until [ -e {go} ]; do sleep 0.05; done"
    async with start(log_limit=1000, heartbeat=0.05) as lab:
        lab.run(
            **shell(f"i=0; {lines}; touch {go}.soon; {wait}; echo but one; echo last; sleep 300")
        )
        await lab.running()
        async with asyncio.timeout(30):
            while not waits(go) or len(await lab.log()) > 1000:  # noqa: ASYNC110 a file has no events
                await asyncio.sleep(0.02)
        go.touch()
        await lab.logged("last\n")
        *numbered, but_one, last = (await lab.log()).splitlines()
        assert (but_one, last) == ("but one", "last")
        assert await lab.node.logs("test", "web", tail=2) == b"but one\nlast\n"
        numbers = [int(line.removeprefix("line ")) for line in numbered]
        assert numbers == sorted(numbers)
        assert numbers[-1] > 1000


async def test_the_node_object_says_that_it_is_ready_and_how_large(lab: Lab) -> None:
    await lab.cluster.until(lambda: (lab.cluster.get("nodes", "", "lab-1") or {}).get("status"))
    node = lab.cluster.get("nodes", "", "lab-1") or {}
    conditions = {item["type"]: item["status"] for item in node["status"]["conditions"]}
    assert conditions["Ready"] == "True"
    assert conditions["MemoryPressure"] == "False"
    assert int(node["status"]["capacity"]["cpu"]) >= 1


def limits_memory() -> bool:
    tree = memory.find()
    tree.remove()
    return tree.folder is not None


@pytest.mark.skipif(not limits_memory(), reason="this user may not make memory cgroups")
async def test_a_container_over_its_memory_limit_is_killed_by_the_kernel(lab: Lab) -> None:
    limits = {"resources": {"limits": {"memory": "30Mi"}}}
    hog = f"exec {sys.executable} -S -c 'x = bytearray(200_000_000); import time; time.sleep(300)'"
    lab.run(**shell(hog, **limits))
    ended = await lab.ended()
    assert (ended["reason"], ended["exitCode"]) == ("OOMKilled", 137)
