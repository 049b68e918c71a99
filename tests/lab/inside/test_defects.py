"""The defects inside the lab's pods: dormant without a signal, and in nothing but a server."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from healer.lab.inside.sitecustomize import DEFECTS

INSIDE = Path(__file__).parents[3] / "healer" / "lab" / "inside"
TELL = """
import signal, sys, sitecustomize
sys.stdout.write("ready\\n"); sys.stdout.flush()
signal.sigtimedwait([], 0.5)
sys.stdout.write(str(len(sitecustomize.held)) + "\\n")
"""


def run(word: str, *, told: bool) -> tuple[int, str]:
    """A program with that argument; its status, and what it says of what it holds."""
    process = subprocess.Popen(
        [sys.executable, "-c", TELL, word],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(INSIDE)},
    )
    assert process.stdout
    assert process.stdout.readline() == "ready\n"
    if told:
        process.send_signal(signal.SIGRTMIN + DEFECTS["leak"])
    said, _ = process.communicate(timeout=20)
    return process.returncode, said.strip()


def test_without_a_signal_nothing_is_held() -> None:
    assert run("serve", told=False) == (0, "0")


def test_a_server_that_is_told_to_leak_holds_memory() -> None:
    status, said = run("serve", told=True)

    assert status == 0
    assert int(said) > 0


def test_another_program_is_not_armed_and_dies_of_the_signal_as_always() -> None:
    status, _ = run("verify", told=True)

    assert status == -(signal.SIGRTMIN + DEFECTS["leak"])


@pytest.mark.parametrize("number", DEFECTS.values())
def test_the_signals_are_those_that_nobody_else_uses(number: int) -> None:
    assert signal.SIGRTMIN < signal.SIGRTMIN + number <= signal.SIGRTMAX
