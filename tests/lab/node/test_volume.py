"""What pods find mounted: contents, limits, sharing, and following their source."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from healer.lab.node.volume import write
from tests.fakes.node import Lab, mounted, on_claim, shell


async def test_config_files_follow_their_config_map_all_at_once(lab: Lab) -> None:
    lab.create("configmaps", "settings", data={"one": "1", "two": "1"})
    lab.run(**mounted("/etc/made-up/config", configMap={"name": "settings"}))
    await lab.running()
    read = "cat /etc/made-up/config/one /etc/made-up/config/two; ls /etc/made-up/config"
    assert await lab.sh(read) == (0, "11one\ntwo\n")
    lab.cluster.update(
        "configmaps", "test", "settings", lambda found: found.update(data={"one": "2", "two": "2"})
    )
    async for written in lab.repeated("cat /etc/made-up/config/*"):
        assert written in {"11", "22"}
        if written == "22":
            break


async def test_a_secret_is_mounted_decoded_and_read_only(lab: Lab) -> None:
    lab.create("secrets", "key", data={"key": "czNjcmV0"})
    lab.run(**mounted("/secret", secret={"secretName": "key"}))
    await lab.running()
    assert await lab.sh("cat /secret/key") == (0, "s3cret")
    code, written = await lab.sh("touch /secret/more")
    assert code != 0
    assert "Read-only file system" in written


async def test_an_empty_dir_ends_where_its_limit_does_and_dies_with_its_pod(lab: Lab) -> None:
    parts = mounted("/scratch", emptyDir={"sizeLimit": "1Mi"})
    lab.run(**parts)
    await lab.running()
    code, written = await lab.sh("dd if=/dev/zero of=/scratch/big bs=1M count=2")
    assert code == 1
    assert "No space left on device" in written
    lab.delete()
    await lab.gone()
    lab.run(**parts)
    await lab.running()
    assert await lab.sh("ls -A /scratch") == (0, "")


async def test_a_folder_of_the_machine_is_read_only(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "note").write_text("from outside")
    lab.run(**mounted("/host", hostPath={"path": str(tmp_path)}))
    await lab.running()
    assert await lab.sh("cat /host/note") == (0, "from outside")
    code, _ = await lab.sh("touch /host/new")
    assert code != 0
    assert not (tmp_path / "new").exists()


async def test_a_part_of_a_claim_is_made_on_first_use_and_the_lab_can_fill_it(lab: Lab) -> None:
    lab.claim("shared", "1Mi")
    await lab.cluster.until(
        lambda: (
            lab.cluster.get("persistentvolumeclaims", "test", "shared")
            and (lab.cluster.get("persistentvolumeclaims", "test", "shared") or {}).get("status")
        )
    )
    volume = lab.node.volume("test", "shared")
    (volume / "models").mkdir()
    (volume / "models" / "weights").write_text("w")
    lab.run("one", **on_claim("shared", "/models", subPath="models"))
    lab.run("two", **on_claim("shared", "/backups", subPath="backups/old"))
    await lab.running("one")
    await lab.running("two")
    assert await lab.sh("cat /models/weights", name="one") == (0, "w")
    assert (await lab.sh("touch /backups/it", name="two"))[0] == 0
    assert (volume / "backups" / "old" / "it").exists()


async def test_a_claim_that_is_not_there_has_no_volume(lab: Lab) -> None:
    with pytest.raises(LookupError, match="absent"):
        lab.node.volume("test", "absent")


async def test_a_pod_waits_for_what_it_mounts_and_says_for_what(lab: Lab) -> None:
    lab.run(**mounted("/config", configMap={"name": "late"}))
    await lab.cluster.until(lambda: "FailedMount" in lab.cluster.reasons("web"))
    assert lab.cluster.events[0]["message"] == 'configmap "late" not found'
    assert lab.container()["state"]["waiting"]["reason"] == "ContainerCreating"
    lab.create("configmaps", "late", data={})
    await lab.ready()


async def test_pods_do_not_see_each_others_volumes(lab: Lab) -> None:
    lab.claim("private", "1Mi")
    lab.run("owner", **on_claim("private"))
    lab.run(**shell("ls /mnt/ssd; cat /proc/self/mounts"))
    await lab.ended()
    written = await lab.log()
    assert "No such file" in written
    assert "claims" not in written


@settings(deadline=None)  # the disk's time is not ours
@given(st.lists(st.dictionaries(st.sampled_from(["a", "b", "c/d"]), st.binary(), max_size=3)))
def test_whatever_the_changes_a_folder_shows_exactly_the_last_files(
    tmp_path_factory: pytest.TempPathFactory, changes: list[dict[str, bytes]]
) -> None:
    folder = tmp_path_factory.mktemp("volume")
    for files in changes:
        write(folder, files)
        names = [name.split("/")[0] for name in files]
        shown = {path.name for path in folder.iterdir() if not path.name.startswith("..")}
        assert shown == set(names)
        assert {name: (folder / name).read_bytes() for name in files} == files
