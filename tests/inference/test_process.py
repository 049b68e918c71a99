"""The server as a process of its own: a disk that is really full, signals, exit codes."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.real

ROOT = Path(__file__).parents[2]


class Process:
    """A server process whose JSON lines are read as they come."""

    def __init__(self, arguments: list[str], *, prefix: list[str]) -> None:
        command = [*prefix, sys.executable, "-m", "inference", "serve", "--port", "0", *arguments]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        self.child = subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, env=environment, cwd=ROOT
        )
        self.lines: list[dict[str, Any]] = []
        self.port = 0

    def wait_for(self, event: str) -> dict[str, Any]:
        """Read lines until this event; the test's own timeout bounds it."""
        assert self.child.stdout is not None
        for line in self.child.stdout:
            self.lines.append(json.loads(line))
            if self.lines[-1].get("event") == event:
                return self.lines[-1]
        msg = f"ended without {event}: {self.lines}"
        raise AssertionError(msg)

    def ready(self) -> "Process":
        self.port = self.wait_for("listening")["port"]
        self.wait_for("ready")
        return self

    def call(self, path: str, body: object = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        url = f"http://127.0.0.1:{self.port}{path}"
        with urllib.request.urlopen(urllib.request.Request(url, data=data), timeout=20) as reply:
            text = reply.read().decode()
        return json.loads(text) if reply.headers.get_content_subtype() == "json" else text

    def end(self) -> int:
        self.child.send_signal(signal.SIGTERM)
        assert self.child.stdout is not None
        self.lines += [json.loads(line) for line in self.child.stdout]
        return self.child.wait(20)


@contextlib.contextmanager
def _process(arguments: list[str], *, prefix: list[str]) -> Generator[Process]:
    process = Process(arguments, prefix=prefix)
    try:
        yield process
    finally:
        process.child.kill()
        process.child.wait(20)
        assert process.child.stdout is not None
        process.child.stdout.close()


def _can_mount() -> bool:
    if shutil.which("unshare") is None:
        return False
    command = [
        "unshare",
        "--user",
        "--map-root-user",
        "--mount",
        "mount",
        "-t",
        "tmpfs",
        "x",
        "/mnt",
    ]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _metric(text: str, name: str) -> float:
    return next(
        float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(name)
    )


@pytest.mark.skipif(not _can_mount(), reason="no user namespaces here: no tmpfs can be mounted")
def test_on_a_full_disk_it_serves_on_says_why_and_recovers_after_eviction(
    model_dir: Path, tmp_path: Path
) -> None:
    ssd = tmp_path / "ssd"
    ssd.mkdir()
    # exec keeps the server the direct child, so that signals reach it.
    script = f'mount -t tmpfs -o size=2m tmpfs {ssd} && exec "$@"'
    prefix = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script, "sh"]
    arguments = [
        "--model", str(model_dir), "--ssd-dir", str(ssd), "--ssd-low-gb", "0.0015",
        "--ssd-critical-gb", "0.0005", "--ssd-probe-seconds", "0.1",
        "--breaker-retry-seconds", "0.3",
    ]  # fmt: skip
    with _process(arguments, prefix=prefix) as process:
        process.ready()
        assert process.call("/health")["mode"] == "normal"
        for number in range(6):
            # Each prompt is new, so each fills the cache by some hundred kilobytes.
            prompt = [(number * 97 + place * 31) % 1000 + 10 for place in range(400)]
            answer = process.call("/v1/completions", {"prompt": prompt, "max_tokens": 1})
            assert answer["usage"]["completion_tokens"] == 1
        failure = process.wait_for("ssd_io_error")
        assert "No space left on device" in failure["msg"]
        while process.wait_for("circuit_breaker")["msg"] != "Circuit breaker state: open":
            pass
        metrics = process.call("/metrics")
        assert _metric(metrics, "degradation_mode") == 1
        assert _metric(metrics, "circuit_breaker_state") in (1, 2)
        assert _metric(metrics, "health_ssd_free_space_gb") < 0.0005
        assert _metric(metrics, 'error_count_total{category="ssd"}') >= 3
        assert _metric(metrics, "health_ssd_total_gb") == pytest.approx(0.002097, abs=1e-4)
        removed = process.call("/admin/cache/evict", {})
        assert removed["removed_bytes"] > 1_000_000
        assert removed["free_bytes"] > 1_500_000
        while process.wait_for("circuit_breaker")["msg"] != "Circuit breaker state: closed":
            pass
        while process.wait_for("degradation")["msg"] != "Degradation mode: normal":
            pass
        assert process.end() == 0


def test_sigterm_finishes_what_runs_and_then_exits(model_dir: Path) -> None:
    with _process(["--model", str(model_dir), "--step-floor", "0.02"], prefix=[]) as process:
        process.port = process.wait_for("listening")["port"]
        # Alive from the first moment, ready only when the model is there.
        assert process.call("/health/liveness")["state"] == "loading"
        with pytest.raises(urllib.error.HTTPError, match="503"):
            process.call("/health/startup")
        process.wait_for("ready")
        assert process.call("/health/startup")["status"] == "ready"
        body = json.dumps({"prompt": "x", "max_tokens": 40, "stream": True}).encode()
        url = f"http://127.0.0.1:{process.port}/v1/completions"
        with urllib.request.urlopen(urllib.request.Request(url, data=body), timeout=20) as reply:
            first = reply.readline()
            assert first.startswith(b"data: ")
            assert process.end() == 0
            assert reply.read().endswith(b"data: [DONE]\n\n")
        assert process.lines[-1]["event"] == "stopped"
        assert process.lines[-1]["finished_all"] is True


def test_a_missing_model_is_named_and_the_exit_code_is_1(tmp_path: Path) -> None:
    with _process(["--model", str(tmp_path / "none")], prefix=[]) as process:
        failure = process.wait_for("model_load_failed")
        assert "config.json is missing" in failure["trace"]
        assert process.child.wait(20) == 1


def test_a_port_that_is_taken_is_named_and_the_exit_code_is_1(model_dir: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        with _process(["--model", str(model_dir), "--port", port], prefix=[]) as process:
            assert port in process.wait_for("listen_failed")["msg"]
            assert process.child.wait(20) == 1


def test_a_config_that_is_wrong_is_named_and_the_exit_code_is_2(tmp_path: Path) -> None:
    (tmp_path / "maxNumSeqs").write_text("lots")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-m", "inference", "serve", "--port", "0", "--config", str(tmp_path)],
        env=environment, cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "maxNumSeqs: 'lots' must be a whole number" in done.stderr


def test_wrong_usage_is_exit_code_2() -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    for arguments in (["serve", "--port", "x"], ["serve", "--nothing"], ["what"], []):
        done = subprocess.run(
            [sys.executable, "-m", "inference", *arguments],
            env=environment, cwd=ROOT, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 2
        assert done.stderr
        assert not done.stdout


def test_weights_cut_short_under_a_serving_process_do_not_kill_it_and_are_told(
    model_dir: Path, tmp_path: Path
) -> None:
    model = Path(shutil.copytree(model_dir, tmp_path / "models" / "tiny"))
    arguments = ["--model", str(model), "--integrity-seconds", "0.1"]
    with _process(arguments, prefix=[]) as process:
        process.ready()
        order = {"prompt": "The disk is full", "max_tokens": 8, "temperature": 0}
        before = process.call("/v1/completions", order)["choices"]
        for path in model.glob("*.safetensors"):
            os.truncate(path, 4096)
        # With mapped weights the next step would be a SIGBUS.
        assert process.call("/v1/completions", order)["choices"] == before
        told = process.wait_for("model_integrity_check_failed")
        assert (told["level"], told["reason"]) == ("CRITICAL", "size")
        metrics = process.call("/metrics")
        assert _metric(metrics, 'health_check_status{component="model_integrity"}') == 3
        assert process.end() == 0


def test_a_damaged_model_keeps_the_process_up_unready_and_a_restore_makes_it_ready(
    model_dir: Path, tmp_path: Path
) -> None:
    model = Path(shutil.copytree(model_dir, tmp_path / "models" / "tiny"))
    path = next(model.glob("*.safetensors"))
    data = bytearray(path.read_bytes())
    data[-1000] ^= 1
    path.write_bytes(data)
    arguments = ["--model", str(model), "--integrity-seconds", "0.1"]
    with _process(arguments, prefix=[]) as process:
        process.port = process.wait_for("listening")["port"]
        told = process.wait_for("model_integrity_check_failed")
        assert told["msg"].startswith(f"Checksum mismatch: {path.name}")
        with pytest.raises(urllib.error.HTTPError, match="503"):
            process.call("/health/startup")
        metrics = process.call("/metrics")
        assert _metric(metrics, 'health_check_status{component="model"}') == 3
        done = subprocess.run(
            [sys.executable, "-m", "inference", "restore", str(model), "--from", str(model_dir)],
            env={**os.environ, "PYTHONPATH": str(ROOT)}, cwd=ROOT, check=True, capture_output=True,
            text=True,
        )  # fmt: skip
        assert f"restored: {path.name}" in done.stdout
        process.wait_for("ready")
        assert process.call("/health/readiness")["status"] == "ready"
        assert process.end() == 0
