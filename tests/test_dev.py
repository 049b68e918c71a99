"""The script of the project: a fault that any one tool finds makes `./dev check` fail."""

import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TOOLS = ("ruff", "lint-imports", "mypy", "basedpyright", "healer")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the script beside an environment that is set up, whose tools all say yes."""
    shutil.copy(ROOT / "dev", tmp_path / "dev")
    (tmp_path / "pyproject.toml").write_text("")
    (tmp_path / "constraints.txt").write_text("")
    (tmp_path / "deploy/healer").mkdir(parents=True)
    (tmp_path / "deploy/healer/rbac.yaml").write_text("")
    bin_ = tmp_path / ".venv/bin"
    bin_.mkdir(parents=True)
    (tmp_path / ".venv/.stamp").write_text(f"{hashlib.sha256(b'').hexdigest()}  -\n")
    for name in (*TOOLS, "prometheus", "alertmanager"):
        answer(tmp_path, name, 0)
    return tmp_path


def answer(project: Path, tool: str, code: int) -> None:
    """Let this tool end with that code."""
    path = project / ".venv/bin" / tool
    path.write_text(f"#!/bin/sh\nexit {code}\n")
    path.chmod(0o755)


def check(project: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "dev", "check"], cwd=project, capture_output=True, text=True, check=False
    )


def test_a_clean_tree_passes(project: Path) -> None:
    done = check(project)
    assert (done.returncode, "check is clean" in done.stderr) == (0, True), done.stderr


@pytest.mark.parametrize("tool", TOOLS)
def test_a_fault_that_one_tool_finds_fails_the_check(project: Path, tool: str) -> None:
    answer(project, tool, 1)
    done = check(project)
    assert done.returncode == 1
    assert "check is clean" not in done.stderr


def test_rights_that_are_not_those_of_the_playbooks_fail_the_check(project: Path) -> None:
    (project / "deploy/healer/rbac.yaml").write_text("rules: []\n")
    done = check(project)
    assert done.returncode == 1
    assert "deploy/ is out of date" in done.stderr
    assert "./dev ship" in done.stderr


def test_a_set_up_that_breaks_off_is_not_taken_for_done(project: Path) -> None:
    (project / ".venv/.stamp").unlink()
    answer(project, "python", 1)
    done = check(project)
    assert done.returncode != 0
    assert not (project / ".venv/.stamp").exists()
