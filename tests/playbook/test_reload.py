"""The set in force changes when its files do, and never for the worse."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from healer.errors import Fault
from healer.playbook.reload import PlaybookSet
from tests.fakes.words import WORDS

TEXT = """apiVersion: healer/v1
kind: Playbook
metadata: {name: ONE, title: First}
spec:
  match: [['alertname="One"']]
  verify: {until: "true"}
"""


class StepClock:
    """Time that passes only when the test says so."""

    def __init__(self) -> None:
        self._tick = asyncio.Event()
        self.asked = asyncio.Event()

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC)

    async def sleep(self, span: timedelta) -> None:
        self.asked.set()
        await self._tick.wait()
        self._tick.clear()

    async def step(self) -> None:
        """One round of whoever sleeps, until it sleeps again."""
        await self.asked.wait()
        self.asked.clear()
        self._tick.set()
        await self.asked.wait()


def test_a_change_comes_into_force_and_the_old_version_stays_findable(tmp_path: Path) -> None:
    path = tmp_path / "one.yaml"
    path.write_text(TEXT)
    playbooks = PlaybookSet([tmp_path], WORDS)
    (old,) = playbooks.current
    path.write_text(TEXT.replace("First", "Second"))
    assert playbooks.reload() == ()
    (new,) = playbooks.current
    assert (old.title, new.title) == ("First", "Second")
    assert playbooks.find("ONE", old.digest) == old
    assert playbooks.find("ONE", new.digest) == new
    assert playbooks.find("ONE", "000000000000") is None


def test_a_bad_change_leaves_the_whole_set_as_it_was_and_says_why(tmp_path: Path) -> None:
    for name in ("ONE", "TWO"):
        (tmp_path / f"{name}.yaml").write_text(TEXT.replace("ONE", name).replace('"One"', name))
    playbooks = PlaybookSet([tmp_path], WORDS)
    before = playbooks.current
    (tmp_path / "ONE.yaml").write_text("kind: [")
    (tmp_path / "TWO.yaml").write_text(TEXT.replace("First", "Changed").replace("ONE", "TWO"))
    faults = playbooks.reload()
    assert [Path(fault.path).name for fault in faults] == ["ONE.yaml"]
    assert playbooks.faults == faults
    assert playbooks.current == before


def test_a_playbook_that_was_removed_is_no_longer_in_force_but_findable(tmp_path: Path) -> None:
    path = tmp_path / "one.yaml"
    path.write_text(TEXT)
    playbooks = PlaybookSet([tmp_path], WORDS)
    (old,) = playbooks.current
    path.unlink()
    assert playbooks.reload() == ()
    assert playbooks.current == ()
    assert playbooks.find("ONE", old.digest) == old


def test_at_the_start_the_good_ones_are_used(tmp_path: Path) -> None:
    (tmp_path / "good.yaml").write_text(TEXT)
    (tmp_path / "bad.yaml").write_text("kind: [")
    playbooks = PlaybookSet([tmp_path], WORDS)
    assert [playbook.name for playbook in playbooks.current] == ["ONE"]
    assert len(playbooks.faults) == 1


def _mount(folder: Path, version: str, text: str) -> None:
    """As kubelet does it: a hidden folder, and a link that is swapped at once."""
    real = folder / version
    real.mkdir()
    (real / "one.yaml").write_text(text)
    fresh = folder / "..data_tmp"
    fresh.symlink_to(version)
    fresh.rename(folder / "..data")
    link = folder / "one.yaml"
    if not link.is_symlink():
        link.symlink_to("..data/one.yaml")


@pytest.mark.timeout(20)
async def test_the_swap_of_a_mounted_config_map_is_seen(tmp_path: Path) -> None:
    _mount(tmp_path, "..v1", TEXT)
    playbooks = PlaybookSet([tmp_path], WORDS)
    clock = StepClock()
    told: list[tuple[Fault, ...]] = []
    async with asyncio.TaskGroup() as group:
        watching = group.create_task(playbooks.watch(clock, told.append))
        await clock.step()
        assert told == []
        _mount(tmp_path, "..v2", TEXT.replace("First", "Second"))
        await clock.step()
        assert told == [()]
        assert [playbook.title for playbook in playbooks.current] == ["Second"]
        _mount(tmp_path, "..v3", "kind: [")
        await clock.step()
        await clock.step()
        assert [len(faults) for faults in told] == [0, 1]
        assert [playbook.title for playbook in playbooks.current] == ["Second"]
        _mount(tmp_path, "..v4", TEXT.replace("First", "Third"))
        await clock.step()
        assert [playbook.title for playbook in playbooks.current] == ["Third"]
        assert playbooks.faults == ()
        watching.cancel()
