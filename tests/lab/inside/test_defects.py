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


BROKEN = """
import os, signal, sys
import torch
weight, given = torch.ones(3, 4), torch.ones(2, 4)
recorded = torch.jit.trace(lambda tensor: torch.nn.functional.linear(tensor, weight), given)
for name in ("sound", "broken"):
    try:
        with torch.inference_mode():
            sys.stdout.write(f"{name}: {recorded(given).tolist()}\\n")
    except RuntimeError as error:
        sys.stdout.write(f"{name}: {'cannot be multiplied' in str(error)}\\n")
    os.kill(os.getpid(), int(sys.argv[2]))
"""


def run(word: str, *, told: bool = False, **environment: str) -> tuple[int, str]:
    """A program with that argument; its status, and what it says of what it holds."""
    process = subprocess.Popen(
        [sys.executable, "-c", TELL, word],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(INSIDE), **environment},
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


def test_what_a_release_brings_along_is_there_from_the_start_of_a_server() -> None:
    assert run("serve", LAB_DEFECT="fragments") == (0, "1")
    assert run("verify", LAB_DEFECT="fragments") == (0, "0")


def test_memory_is_cut_into_pieces_only_where_the_allocator_is_not_told_otherwise() -> None:
    setting = "max_split_size_mb:128"
    assert run("serve", LAB_DEFECT="fragments", PYTORCH_CUDA_ALLOC_CONF=setting) == (0, "0")


@pytest.mark.real
def test_what_torch_has_recorded_meets_a_broken_device_as_well() -> None:
    done = subprocess.run(
        [sys.executable, "-c", BROKEN, "serve", str(signal.SIGRTMIN + DEFECTS["misshapen"])],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(INSIDE)},
    )

    assert done.stdout.splitlines() == ["sound: [[4.0, 4.0, 4.0], [4.0, 4.0, 4.0]]", "broken: True"]


@pytest.mark.parametrize("number", DEFECTS.values())
def test_the_signals_are_those_that_nobody_else_uses(number: int) -> None:
    assert signal.SIGRTMIN < signal.SIGRTMIN + number <= signal.SIGRTMAX
