"""The node with real processes: starting, ending, volumes, exec, logs."""

import asyncio

import aiohttp
import pytest

from tests.fakes.node import Lab, Start, on_claim, shell


async def test_a_pod_is_a_process_that_answers_on_its_own_address(lab: Lab) -> None:
    lab.run("one")
    lab.run("two")
    await lab.ready("one")
    await lab.ready("two")
    first, second = lab.status("one")["podIP"], lab.status("two")["podIP"]
    assert first != second
    assert first.startswith("127.")
    assert not first.startswith("127.0.0.")
    async with aiohttp.ClientSession() as session:
        for address in (first, second):
            async with asyncio.timeout(5):
                while True:
                    try:
                        async with session.get(f"http://{address}:8000/") as answer:
                            assert await answer.text() == "hello"
                            break
                    except aiohttp.ClientConnectionError:
                        await asyncio.sleep(0.02)
    assert lab.status("one")["phase"] == "Running"
    assert lab.cluster.reasons("one") == ["Pulled", "Created", "Started"]


async def test_a_volume_of_the_claims_size_is_really_full_and_really_grows(lab: Lab) -> None:
    lab.claim("ssd", "1Mi")
    lab.run(**on_claim("ssd"))
    await lab.running()
    code, written = await lab.sh("dd if=/dev/zero of=/mnt/ssd/big bs=1M count=2")
    assert code == 1
    assert "No space left on device" in written
    lab.cluster.update(
        "persistentvolumeclaims",
        "test",
        "ssd",
        lambda pvc: pvc["spec"]["resources"]["requests"].update(storage="4Mi"),
    )
    await lab.cluster.until(lambda: capacity(lab, "ssd") == "4Mi")
    code, _ = await lab.sh("dd if=/dev/zero of=/mnt/ssd/big bs=1M count=2")
    assert code == 0


@pytest.mark.parametrize("rootless", [False, True])
async def test_a_claim_is_shared_by_pods_and_outlives_them(start: Start, rootless: bool) -> None:
    async with start(rootless=rootless) as lab:
        lab.claim("shared", "1Mi")
        lab.run("writer", **on_claim("shared"))
        lab.run("reader", **on_claim("shared"))
        await lab.running("writer")
        await lab.running("reader")
        await lab.sh("echo kept > /mnt/ssd/note", name="writer")
        assert await lab.sh("cat /mnt/ssd/note", name="reader") == (0, "kept\n")
        for name in ("writer", "reader"):
            lab.cluster.delete("pods", "test", name)
        lab.run("later", **on_claim("shared"))
        await lab.running("later")
        assert await lab.sh("cat /mnt/ssd/note", name="later") == (0, "kept\n")


@pytest.mark.parametrize("rootless", [False, True])
async def test_exec_tells_stdout_from_stderr_and_feeds_stdin(start: Start, rootless: bool) -> None:
    async with start(rootless=rootless) as lab:
        lab.run()
        await lab.running()
        process = await lab.node.exec("test", "web", ["sh", "-c", "cat; echo bad >&2; exit 3"])
        await process.write(b"good")
        await process.write(b"")
        pieces = [piece async for piece in process.output()]
        assert sorted(pieces) == [(1, b"good"), (2, b"bad\n")]
        assert await process.wait() == 3


async def test_exec_of_what_cannot_be_executed_ends_as_in_a_shell(lab: Lab) -> None:
    lab.run()
    await lab.running()
    for command, code in (("no-such-command", 127), ("/", 126)):
        process = await lab.node.exec("test", "web", [command])
        said = b"".join([piece async for _, piece in process.output()]).decode()
        assert await process.wait() == code
        assert f"{command}:" in said


async def test_exec_runs_in_the_folder_and_with_the_environment_of_the_container(lab: Lab) -> None:
    lab.run(workingDir="/var", env=[{"name": "WORD", "value": "said"}])
    await lab.running()
    assert await lab.sh("pwd; echo $WORD") == (0, "/var\nsaid\n")


async def test_exec_in_a_pod_that_is_not_there_is_a_lookup_error(lab: Lab) -> None:
    with pytest.raises(LookupError, match="absent"):
        await lab.node.exec("test", "absent", ["true"])


async def test_a_script_that_ends_well_is_a_pod_that_succeeded(lab: Lab) -> None:
    lab.run(**shell("echo I was here"))
    ended = await lab.ended()
    assert (ended["exitCode"], ended["reason"]) == (0, "Completed")
    assert lab.status()["phase"] == "Succeeded"
    assert await lab.log() == "I was here\n"


async def test_a_crashing_container_is_restarted_with_growing_delays(lab: Lab) -> None:
    lab.run(**shell("echo life; exit 7", restartPolicy="Always"))
    await lab.cluster.until(lambda: lab.container().get("restartCount", 0) >= 3)
    last = lab.container()["lastState"]["terminated"]
    assert (last["exitCode"], last["reason"]) == (7, "Error")
    assert "BackOff" in lab.cluster.reasons("web")
    assert (await lab.node.logs("test", "web", previous=True)) == b"life\n"


async def test_deletion_asks_first_and_kills_when_the_grace_is_over(lab: Lab) -> None:
    stubborn = "trap 'echo asked' TERM; echo up; while :; do sleep 0.05; done"
    lab.run(**shell(stubborn, restartPolicy="Always"))
    await lab.running()
    await lab.logged("up\n")
    lab.delete(grace=1)
    await lab.gone()
    assert "Killing" in lab.cluster.reasons("web")


def capacity(lab: Lab, name: str) -> str:
    found = lab.cluster.get("persistentvolumeclaims", "test", name) or {}
    return str(found.get("status", {}).get("capacity", {}).get("storage"))
