"""The log of entries."""

import json
import logging
from typing import Any

import pytest

from healer.notify import words
from healer.notify.log import TIMELINE, EntryLog
from tests.fakes import story
from tests.fakes.story import Story


def logged(tale: Story, caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    caplog.set_level(logging.INFO, logger=TIMELINE)
    observer = EntryLog()
    for entry in tale.entries:
        observer.see(entry, tale.incident)
    return [json.loads(record.getMessage()) for record in caplog.records]


def test_every_entry_is_one_line_of_json_with_the_words_people_read(
    caplog: pytest.LogCaptureFixture,
) -> None:
    tale = Story(story.opened(), story.chosen("line\nbreak"))
    rows = logged(tale, caplog)
    assert rows[1] == {
        "at": "2026-03-04T03:12:02+00:00",
        "incident": "inc-1",
        "seq": 2,
        "event": "Chosen",
        "service": "inference",
        "playbook": "circuit-breaker",
        "target": "production/deployment/inference",
        "state": "open",
        "words": words.say(tale.entries[1].event),
    }
    assert all("\n" not in record.getMessage() for record in caplog.records)


def test_neither_annotations_nor_secrets_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    alert = story.alert(summary="customer Example is down")
    tale = Story(
        story.opened(), story.received(alert), story.finished(summary="token=hunter2 refused")
    )
    logged(tale, caplog)
    assert "Example" not in caplog.text
    assert "hunter2" not in caplog.text
    assert "token=*** refused" in caplog.text


def test_an_escalation_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    logged(Story(story.opened(), story.escalated()), caplog)
    assert [record.levelname for record in caplog.records] == ["INFO", "WARNING"]
