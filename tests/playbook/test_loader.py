"""Playbooks load as written, and all that is wrong is told at once."""

from datetime import timedelta
from pathlib import Path

from healer.model.playbook import Mode
from healer.playbook.loader import load
from tests.fakes.words import WORDS

GOOD = Path(__file__).parent / "good"


def test_the_example_loads_as_it_is_written() -> None:
    loaded = load([GOOD], WORDS)
    assert [str(fault) for fault in loaded.faults] == []
    (playbook,) = loaded.playbooks
    assert playbook.name == "SCENARIO-2"
    assert playbook.mode is Mode.AUTO
    assert [[str(m) for m in alternative] for alternative in playbook.match] == [
        ['alertname=~"DiskSpaceLow|DiskSpaceCritical"'],
        ['alertname="ServiceDegraded"', 'component="ssd"'],
    ]
    assert playbook.verify.watch == timedelta(minutes=30)
    assert playbook.remedies[0].steps[0].path == "remedies/0/steps/0"
    assert playbook.remedies[0].steps[0].timeout == timedelta(minutes=2)
    assert playbook.diagnose[1].path == "diagnose/1"
    assert playbook.escalate.to == ("platform-lead",)
    assert len(playbook.digest) == 12
