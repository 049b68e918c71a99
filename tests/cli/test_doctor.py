"""`healer doctor` asks a real API server for every right, and says which are missing."""

import asyncio
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from healer.app.nowhere import words
from healer.app.vocabulary import vocabulary
from healer.cli.main import main
from healer.cli.rbac import Account, manifests
from healer.engine.need import needs
from healer.model.effect import Permission
from healer.playbook.loader import load
from tests.fakes.gate import Trouble
from tests.fakes.scene import SCENARIO_2, Scene, scene


def _needed(world: Scene) -> frozenset[Permission]:
    """As the configuration of the scene asks for, with the one playbook that fits it."""
    folder = world.folder / "playbooks"
    for path in folder.glob("*.yaml"):
        if path.stem != SCENARIO_2.name:
            path.unlink()
    settings = world.settings
    return needs(
        load([folder], vocabulary(settings), settings.known_services).playbooks,
        settings.known_services,
        words(),
    )


def _grant(world: Scene, rights: Iterable[Permission]) -> None:
    for one in manifests(rights, Account(namespace="healer", name="healer")):
        world.store.create(f"{one['kind'].lower()}s", one)


async def _doctor(world: Scene, *args: str) -> Result:
    """In a thread, for it has a loop of its own."""
    command = ["doctor", "--config", str(world.config), *args]
    return await asyncio.to_thread(CliRunner().invoke, main, command)


def _signs(result: Result) -> dict[str, dict[str, Any]]:
    return {sign["what"]: sign for sign in json.loads(result.stdout)}


async def test_with_all_rights_and_all_servers_it_is_well(tmp_path: Path) -> None:
    async with scene(tmp_path, SCENARIO_2, rights=()) as world:
        needed = _needed(world)
        _grant(world, needed)
        before = world.versions
        result = await _doctor(world, "-o", "json")
        assert result.exit_code == 0, result.output
        signs = _signs(result)
        assert len(signs) == len(needed) + 2, "each right, the playbooks, Prometheus"
        assert all(sign["well"] for sign in signs.values())
        assert world.versions == before
        assert world.gates["slack"].seen == world.gates["pagerduty"].seen == []


async def test_a_right_that_is_missing_is_named(tmp_path: Path) -> None:
    async with scene(tmp_path, SCENARIO_2, rights=()) as world:
        needed = _needed(world)
        lacking = next(one for one in needed if one.resource == "pods/proxy" and one.verb == "get")
        _grant(world, needed - {lacking})
        result = await _doctor(world)
        assert result.exit_code == 1
        wrong = [line for line in result.output.splitlines() if line.startswith("MISSING")]
        assert len(wrong) == 1
        assert "get pods/proxy in production" in wrong[0]
        assert "healer playbook rbac" in wrong[0]


@pytest.mark.parametrize("away", ["kubernetes", "prometheus"])
async def test_a_server_that_is_away_is_told(away: str, tmp_path: Path) -> None:
    async with scene(tmp_path, SCENARIO_2, rights=()) as world:
        needed = _needed(world)
        _grant(world, needed)
        await world.gates[away].fail(Trouble.REFUSED)
        result = await _doctor(world, "-o", "json")
        await world.gates[away].mend()
        assert result.exit_code == 1, result.output
        wrong = [what for what, sign in _signs(result).items() if not sign["well"]]
        assert len(wrong) == (len(needed) if away == "kubernetes" else 1)


async def test_faults_of_a_playbook_are_told(tmp_path: Path) -> None:
    async with scene(tmp_path, SCENARIO_2, rights=()) as world:
        _grant(world, _needed(world))
        path = world.folder / "playbooks" / "bad.yaml"
        path.write_text(yaml.safe_dump({"apiVersion": "healer/v1", "kind": "Playbook"}))
        result = await _doctor(world, "-o", "json")
        assert result.exit_code == 1
        assert "bad.yaml:1:1" in _signs(result)["playbooks"]["seen"]


def test_without_a_configuration_it_is_wrong_usage(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["doctor", "--config", str(tmp_path / "none.yaml")])
    assert result.exit_code == 2
    assert "name it with --config" in result.output
