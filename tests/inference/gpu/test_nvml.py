"""The real reader over a real shared library, in processes of their own."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from healer.lab.gpu.build import build

ROOT = Path(__file__).parents[3]

Library = Callable[..., Path]


@pytest.fixture
def library(tmp_path: Path) -> Library:
    """Builds the stand-in with the given faults in it."""

    def make(*flags: str) -> Path:
        said: list[str] = []
        folder = asyncio.run(build(tmp_path / "gpu", say=said.append, flags=flags))
        if folder is None:
            pytest.skip(said[0])
        return folder

    return make


def ask(program: str | None, folder: Path | None, **environment: str) -> Any:
    """The JSON that a program prints, or the command line's when none is given."""
    paths = {} if folder is None else {"LD_LIBRARY_PATH": str(folder)}
    called = [sys.executable, "-m", "inference", "gpu"]
    if program is not None:
        called = [sys.executable, "-c", program]
    kept = {name: value for name, value in os.environ.items() if name != "LD_LIBRARY_PATH"}
    found = subprocess.run(
        called, capture_output=True, check=True, cwd=ROOT, env={**kept, **paths, **environment}
    )
    return json.loads(found.stdout)


def test_where_there_is_no_driver_it_is_none_with_the_reason() -> None:
    found = ask(None, None)
    if found["devices"]:
        pytest.skip("this machine has a GPU")
    assert found == {"provider": "none", "reason": "NVML Shared Library Not Found", "devices": []}


def test_a_library_without_its_symbols_is_none_as_well(tmp_path: Path) -> None:
    (tmp_path / "libnvidia-ml.so.1").write_bytes(b"no library at all")
    assert ask(None, tmp_path)["provider"] == "none"


def test_the_command_tells_what_the_driver_says(library: Library) -> None:
    found = ask(None, library(), LAB_GPU_MEMORY=str(256 * 2**20))
    (device,) = found["devices"]
    assert device["memory_used_bytes"] + device["memory_free_bytes"] == 256 * 2**20
    assert device["uuid"].startswith("GPU-")
    assert device["ecc_uncorrected"] is None
    assert [each["bytes"] > 0 for each in device["processes"]] == [True]


HELD = """
import json
from inference.gpu.nvml import Nvml
source = Nvml()
def used():
    return source.read().devices[0].used
before = used()
held = bytearray(64 * 2**20)
during = used()
del held
print(json.dumps([before, during, used()]))
"""


def test_memory_is_what_the_process_holds_and_falls_when_it_is_given_back(library: Library) -> None:
    before, during, after = ask(HELD, library())
    assert 64 * 2**20 <= during - before < 72 * 2**20
    assert after - before < 8 * 2**20


FAULTS = """
import json, time
from inference.gpu import health
from inference.gpu.monitor import Monitor
from inference.gpu.nvml import Nvml
monitor = Monitor(Nvml(), seconds=0.05)
monitor.start()
deadline = time.monotonic() + 10
while health.component(monitor).status == 0 and time.monotonic() < deadline:
    time.sleep(0.01)
found = health.component(monitor)
monitor.stop(5)
print(json.dumps([found.status.word, found.message]))
"""


@pytest.mark.parametrize(
    ("flag", "told"),
    [
        ("-DSTANDIN_XID=79", ["critical", "GPU 0 reported XID 79"]),
        ("-DSTANDIN_LOST=1", ["critical", "GPU 0: GPU is lost"]),
        (
            "-DSTANDIN_ECC=2",
            ["degraded", "GPU 0 had 2 memory errors that could not be corrected"],
        ),
    ],
)
def test_what_the_driver_reports_is_found_by_the_real_reader(
    library: Library, flag: str, told: list[str]
) -> None:
    assert ask(FAULTS, library(flag)) == told
