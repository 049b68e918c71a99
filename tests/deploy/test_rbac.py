"""The rights that playbooks need: computed, enough for what they do, and not one too many."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from healer.app.daemon import daemon
from healer.app.nowhere import words
from healer.app.vocabulary import vocabulary
from healer.cli.main import main
from healer.cli.rbac import Account, manifests
from healer.engine.need import needs
from healer.model.event import Archived, Event, Judged, StepFinished, Verified
from healer.playbook.loader import load
from tests.fakes.scene import DRILLS, INC_001, SCENARIO_2, Drill, Scene, scene
from tests.fakes.watched import watched

Right = tuple[str, str]
"""A resource and a verb."""

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "deploy" / "healer" / "healer.yaml"
ANEW = "print it anew: ./dev ship"
COMMAND = ["playbook", "rbac", "--config", str(CONFIG), "--playbooks", str(ROOT / "playbooks")]


def _printed(*args: str) -> str:
    result = CliRunner().invoke(main, [*COMMAND, *args], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_the_shipped_rights_are_those_that_the_shipped_playbooks_need() -> None:
    shipped = (ROOT / "deploy" / "healer" / "rbac.yaml").read_text()
    assert shipped == _printed(), ANEW


def test_one_list_holds_the_same_as_the_documents() -> None:
    whole = json.loads(_printed("-o", "json"))
    assert whole["items"] == list(yaml.safe_load_all(_printed()))


def test_another_account_gets_the_same_rights() -> None:
    made = list(yaml.safe_load_all(_printed("-n", "ops", "--service-account", "robot")))
    subject = {"kind": "ServiceAccount", "name": "robot", "namespace": "ops"}
    bound = [one for one in made if one["kind"].endswith("Binding")]
    assert bound
    assert all(one["subjects"] == [subject] for one in bound)
    assert {one["metadata"]["name"] for one in made} == {"robot"}


def test_nothing_is_asked_for_by_a_star_and_no_secret_at_all() -> None:
    for one in yaml.safe_load_all(_printed()):
        for rule in one.get("rules", ()):
            told = [*rule["apiGroups"], *rule["resources"], *rule["verbs"]]
            assert "*" not in told
            assert "secrets" not in told or rule["resourceNames"]


def test_a_playbook_with_faults_has_no_rights(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("apiVersion: healer/v1\nkind: Playbook\n")
    result = CliRunner().invoke(main, [*COMMAND[:-1], str(tmp_path)])
    assert result.exit_code == 1
    assert result.stdout == ""
    assert "bad.yaml:1:1" in result.stderr


async def _walk(
    world: Scene,
    *,
    without: Right | None,
    until: type[Event],
    holds: Callable[[Event], bool] | None = None,
) -> str:
    """All that is written down while a daemon works that has its rights, but for one."""
    loaded = load([world.folder / "playbooks" / f"{world.drill.name}.yaml"], vocabulary())
    needed = needs(loaded.playbooks, world.settings.known_services, words())
    assert without is None or without in {(one.resource, one.verb) for one in needed}
    rights = [one for one in needed if (one.resource, one.verb) != without]
    for one in manifests(rights, Account(namespace="healer", name="healer")):
        world.store.create(f"{one['kind'].lower()}s", one)
    timeline = watched()
    async with daemon(world.settings, timeline=timeline) as port:
        world.postman.port = port
        await timeline.until(until, holds)
    return "\n".join(str(one.event) for one in timeline.entries)


@pytest.mark.parametrize("drill", DRILLS, ids=lambda drill: drill.name)
async def test_with_these_rights_a_drill_heals(drill: Drill, tmp_path: Path) -> None:
    async with scene(tmp_path, drill, rights=()) as world:
        told = await _walk(world, without=None, until=Archived)
    assert told.count("StepFinished(") == len(drill.steps)
    assert "Ending.HEALED" in told
    assert "forbidden" not in told


USED: Sequence[tuple[Drill, Right, type[Event]]] = [
    (SCENARIO_2, ("pods", "list"), Judged),
    (SCENARIO_2, ("pods/proxy", "get"), Judged),
    (SCENARIO_2, ("pods/proxy", "create"), StepFinished),
    (SCENARIO_2, ("persistentvolumeclaims", "get"), Judged),
    (INC_001, ("deployments", "get"), StepFinished),
    (INC_001, ("deployments/scale", "get"), Verified),
    (INC_001, ("horizontalpodautoscalers", "list"), Verified),
    (INC_001, ("horizontalpodautoscalers", "patch"), StepFinished),
]
"""What the walks of the two drills need, and where its lack is written down. The rest is for
branches that they do not take, or for a claim that has a class."""


@pytest.mark.parametrize(
    ("drill", "right", "where"),
    USED,
    ids=[f"{drill}: {verb} {what}" for drill, (what, verb), _ in USED],
)
async def test_with_one_right_less_it_is_refused_and_says_so(
    drill: Drill, right: Right, where: type[Event], tmp_path: Path
) -> None:
    resource, verb = right
    refused = f'cannot {verb} resource "{resource}"'
    async with scene(tmp_path, drill, rights=()) as world:
        told = await _walk(
            world, without=right, until=where, holds=lambda event: refused in str(event)
        )
    assert refused in told
    assert "Ending.HEALED" not in told
