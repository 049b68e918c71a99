"""Every command that the README shows is run, here or by the tests named beside it."""

import json
import re
import socket
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent
SHOWN = re.findall(r"^\$ (.+?)(?:\s+#.*)?$", (ROOT / "README.md").read_text(), re.MULTILINE)
ELSEWHERE = {
    "./dev test": "what runs this",
    "./dev demo": "tests/lab/drill: the same drill, told with more words",
    "./dev run healer lab drill SCENARIO-2": "tests/lab/drill",
    "./dev run healer lab drill INC-001": "tests/lab/drill",
}
PLAIN = ("./dev run healer check playbooks/", "./dev run healer playbook schema")
SERVED = (
    "./dev run healer serve --config healer.yaml --dry-run",
    "./dev run healer incident list",
    './dev run healer pause --reason "release under way"',
)
WORD = re.compile(r'"[^"]*"|\S+')


def test_no_command_is_shown_that_is_not_run() -> None:
    assert sorted(SHOWN) == sorted([*ELSEWHERE, *PLAIN, *SERVED])


def argv(command: str) -> list[str]:
    words = [word.strip('"') for word in WORD.findall(command.removeprefix("./dev run healer "))]
    return [sys.executable, "-m", "healer", *words]


@pytest.mark.parametrize("command", PLAIN)
def test_a_command_that_needs_no_daemon(command: str) -> None:
    done = subprocess.run(argv(command), cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def daemon(tmp_path: Path) -> Generator[str]:
    """The daemon as the README starts it, with a configuration of its own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    (tmp_path / "playbooks").mkdir()
    (tmp_path / "token").write_text("an operator's token")
    service = {
        "name": "api",
        "match": ['service="api"'],
        "workload": "production/deployment/api",
        "selector": "app=api",
    }
    config = {
        "apiVersion": "healer/v1",
        "kind": "Configuration",
        "listen": {"port": port},
        "api_tokens": {"ada": str(tmp_path / "token")},
        "playbooks": [str(tmp_path / "playbooks")],
        "services": [service],
    }
    (tmp_path / "healer.yaml").write_text(yaml.safe_dump(config))
    command = argv(SERVED[0])
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as running:
        assert running.stderr is not None
        ready = any("listening on" in line for line in running.stderr)
        assert ready, "the daemon ended before it listened"
        yield f"http://127.0.0.1:{port}"
        running.terminate()
        running.stderr.read()
    assert running.returncode == 0


def test_the_commands_that_speak_to_a_daemon(daemon: str) -> None:
    environment = {"HEALER_SERVER": daemon, "HEALER_TOKEN": "an operator's token"}
    for command in SERVED[1:]:
        done = subprocess.run(
            argv(command), env=environment, cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_schema_that_is_printed_is_json() -> None:
    done = subprocess.run(argv(PLAIN[1]), cwd=ROOT, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["properties"]["kind"]
