"""`healer lab` from the outside: its life, its death, and what it says to wrong questions."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from pathlib import Path

import pytest

from healer.lab.drill.catalog import SCENARIOS

ROOT = Path(__file__).parents[2]


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "healer", "lab", *words]


def healer(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*words), capture_output=True, text=True, cwd=ROOT, check=False)


@pytest.fixture
def home(tmp_path: Path) -> Generator[Path]:
    yield tmp_path
    with contextlib.suppress(OSError, ValueError):
        pid = json.loads((tmp_path / "lab.json").read_text())["pid"]
        os.kill(pid, signal.SIGKILL)


def family(pid: int) -> dict[int, str]:
    """All processes below this one, by their time of birth, so that numbers are not mixed up."""
    born, children = dict[int, str](), dict[int, list[int]]()
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and (fields := stat(int(entry.name))):
            born[int(entry.name)] = fields[19]
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    found, waiting = dict[int, str](), [pid]
    while waiting:
        below = children.get(waiting.pop(), [])
        waiting += below
        found |= {child: born[child] for child in below}
    return found


def stat(pid: int) -> list[str]:
    """From the state on; empty where the process is gone or only waits to be reaped."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return []
    return [] if fields[0] == "Z" else fields


def gone(processes: dict[int, str], *, within: float = 15.0) -> bool:
    """Did all of them end in time?"""
    until = time.monotonic() + within
    while any(stat(pid)[19:20] == [born] for pid, born in processes.items()):
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True


def test_without_a_lab_everything_says_how_to_start_one(home: Path) -> None:
    for words in (("status",), ("down",), ("inject", "flood")):
        found = healer(*words, "--home", str(home))
        assert found.returncode == 1
        assert "healer lab up" in found.stderr


def test_an_unknown_drill_or_fault_is_wrong_usage_and_lists_what_there_is(home: Path) -> None:
    found = healer("drill", "NIX", "--home", str(home))
    assert found.returncode == 2
    assert f"{', '.join(SCENARIOS)}, all" in " ".join(found.stderr.split())
    found = healer("inject", "nix", "--home", str(home))
    assert found.returncode == 2
    assert "full-volume" in found.stderr


@pytest.mark.real
@pytest.mark.timeout(180)
def test_a_lab_stays_up_until_it_is_told_and_dies_whole_when_it_is_killed(home: Path) -> None:
    up = healer("up", "--service", "llm-inference", "--home", str(home))
    assert up.returncode == 0, up.stderr
    assert "Time runs 60 times as fast" in up.stderr
    again = healer("up", "--home", str(home))
    assert again.returncode == 1
    assert "running already" in again.stderr
    shown = healer("status", "-o", "json", "--home", str(home))
    state = json.loads(shown.stdout)
    assert "token" not in state
    pods = subprocess.run(
        ["kubectl", "--kubeconfig", state["kubeconfig"], "get", "pods", "-n", "production"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert pods.stdout.count("1/1") == 2
    wrong = healer("inject", "flood", "--home", str(home))
    assert wrong.returncode == 1
    assert "does not run in this lab" in wrong.stderr
    processes = family(state["pid"])
    assert len(processes) >= 6  # two servers, their volumes, Prometheus, Alertmanager, healer
    os.kill(state["pid"], signal.SIGKILL)
    assert gone(processes)
    assert healer("status", "--home", str(home)).returncode == 1


@pytest.mark.real
@pytest.mark.timeout(120)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_drill_that_is_stopped_takes_everything_down(home: Path, number: signal.Signals) -> None:
    running = subprocess.Popen(
        command("drill", "SCENARIO-2", "--home", str(home)),
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert running.stderr is not None
    try:
        for line in running.stderr:
            if "healer is ready" in line:
                break
        processes = family(running.pid)
        running.send_signal(number)
        running.stderr.read()
        assert running.wait(timeout=60) == 130
    finally:
        running.kill()
        running.stderr.close()
    assert gone(processes)
    assert list((home / "labs").iterdir()) == []
