"""Defects that only a process itself can have: leaks, and a device that stopped working.

Python loads this in the lab's pods, by PYTHONPATH, before the server. It does nothing until a
signal tells it to, and what it then does is real: memory that is held, calls of torch that torch
refuses. A new process has none of it, but for what a release brings along: LAB_DEFECT names what
each of its processes does from its start.
"""

import contextlib
import ctypes
import os
import signal
import socket
import sys
import threading
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

MIB = 1024 * 1024
LATE = 0.008
"""Seconds. A token takes 29 matrix products of the lab's model: 0.23 s, where it takes 0.1."""
NOBODY = ("127.0.0.1", 1)
DEFECTS = {
    "leak": 1,
    "leak-fast": 2,
    "free": 3,
    "cuda": 4,
    "memory": 5,
    "slow": 6,
    "lonely": 7,
    "misshapen": 8,
    "halt": 9,
    "hang": 10,
}
"""The real-time signal of each, counted from the first: nobody else uses those."""

ALLOWED = Path("/etc/inference/maxNumSeqs")
PER_SEQUENCE = 1.17
"""MiB. Of 256 sequences that nearly fills a GPU of the lab, of 64 it does not."""
FILLING = 300
"""MiB that nearly fill a GPU of the lab beside the server."""

held: list[bytearray] = []
broken: list[Any] = []
"""What takes the place of torch's own, as long as it is held."""
leaking = threading.Event()


def hold(mib: float) -> None:
    """Hold so many MiB, as the weights of a model or the room for its sequences do."""
    chunk = bytearray(int(mib * MIB))
    chunk[::4096] = b"x" * len(range(0, len(chunk), 4096))  # a page counts once written
    held.append(chunk)


def leak(rate: int) -> None:
    """Hold so many MiB more every second, until told to stop or killed."""

    def work() -> None:
        while leaking.is_set():
            hold(rate / 10)
            time.sleep(0.1)

    leaking.set()
    threading.Thread(target=work, daemon=True).start()


def free() -> None:
    """Give it back, to the system too."""
    leaking.clear()
    time.sleep(0.2)
    held.clear()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)


def break_linear(put: Any) -> None:
    """From now on every matrix product first does `put`, which torch refuses with its own error.

    It is broken below Python, where what a server has recorded ends up as well.
    """
    torch: Any = sys.modules["torch"]

    def linear(tensor: Any, weight: Any, bias: Any = None) -> Any:
        found = torch.matmul(put(torch, tensor), weight.t())
        return found if bias is None else found + bias

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns that this takes the place of torch's own
        library = torch.library.Library("aten", "IMPL")
        library.impl("linear", linear, "CPU")
    broken.append(library)


def on_cuda(_: Any, tensor: Any) -> Any:
    """As after a driver that went away: the tensor must go to a device that cannot be had."""
    return tensor.to("cuda")


def too_large(torch: Any, tensor: Any) -> Any:
    """As with too many sequences: more memory than there is address space."""
    torch.empty(1 << 60, dtype=torch.uint8)
    return tensor


def late(_: Any, tensor: Any) -> Any:
    """As where a device has no room left and must fetch from elsewhere what it computes with."""
    time.sleep(LATE)
    return tensor


def never(_: Any, tensor: Any) -> Any:
    """As where a device, or a server that computes along, does not answer and is waited for."""
    threading.Event().wait()
    return tensor


def from_nobody(_: Any, tensor: Any) -> Any:
    """As where a cache or another stage is asked over the network, and nobody listens there."""
    with socket.create_connection(NOBODY, timeout=1):
        return tensor


def one_short(_: Any, tensor: Any) -> Any:
    """As after an edit of the model's code: the shapes do not fit, and torch says so."""
    return tensor[..., :-1]


def reserve() -> None:
    """Keep room for every sequence that is allowed at once."""
    hold(int(ALLOWED.read_text()) * PER_SEQUENCE)


def fragment() -> None:
    """Lose what an allocator loses that splits large blocks, which a setting forbids it."""
    if "PYTORCH_CUDA_ALLOC_CONF" not in os.environ:
        hold(FILLING)


RELEASED: dict[str, Callable[[], None]] = {
    "reserve": reserve,
    "fragments": fragment,
    "large": lambda: hold(FILLING),
    "leak-slow": lambda: leak(8),
}
"""What a release can bring along."""


def arm() -> None:
    """Only a server is armed."""
    if b"serve" not in Path("/proc/self/cmdline").read_bytes().split(b"\0"):
        return
    work: dict[str, Callable[[], None]] = {
        "leak": lambda: leak(15),
        "leak-fast": lambda: leak(400),
        "free": free,
        "halt": leaking.clear,
        "cuda": lambda: break_linear(on_cuda),
        "memory": lambda: break_linear(too_large),
        "slow": lambda: break_linear(late),
        "hang": lambda: break_linear(never),
        "lonely": lambda: break_linear(from_nobody),
        "misshapen": lambda: break_linear(one_short),
    }
    for name, number in DEFECTS.items():
        signal.signal(signal.SIGRTMIN + number, partial(_woken, work[name]))
    if brought := os.environ.get("LAB_DEFECT"):
        RELEASED[brought]()


def _woken(work: Callable[[], None], *_: object) -> None:
    work()


arm()
