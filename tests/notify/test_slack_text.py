"""Cutting and escaping for Slack: whatever comes in, what goes out is within its limits."""

import re

from hypothesis import given
from hypothesis import strategies as st

from healer.intake import slack as door
from healer.lab.slack.limit import POSTED, UPDATED, check_message
from healer.notify import slack_text
from tests.fakes import story
from tests.fakes.story import Story

TEXT = st.text(max_size=200) | st.sampled_from(
    ["<!channel>" * 400, "&" * 5000, "`" * 4000, "é" * 9]
)
ENTITY = re.compile(r"&(?!(amp|lt|gt);)")


@given(st.text(), st.integers(min_value=1, max_value=50))
def test_a_cut_never_leaves_half_an_entity(text: str, limit: int) -> None:
    cut = slack_text.cut(slack_text.escape(text), limit)
    assert len(cut) <= limit
    assert not ENTITY.search(cut)
    assert not set("<>`") & set(cut)


@given(st.lists(TEXT, min_size=1, max_size=40))
def test_slack_takes_every_page_and_no_line_is_lost(texts: list[str]) -> None:
    tale = Story(story.opened(), *(story.chosen(text) for text in texts))
    pages = list(slack_text.pages(tale.entries))
    for page in pages:
        check_message(slack_text.reply(page), longest=POSTED)
    assert sum(len(page.lines) for page in pages) == len(tale.entries)
    assert pages[-1].through == len(tale.entries)


@given(TEXT, TEXT)
def test_slack_takes_every_headline_also_as_an_edit(name: str, summary: str) -> None:
    alert = story.alert(name, summary=summary)
    tale = Story(story.opened(severity=name), story.received(alert), story.asked())
    check_message(slack_text.headline(tale.notice()), longest=UPDATED)


def test_pages_begin_after_what_was_told() -> None:
    tale = Story(story.opened(), story.chosen(), story.started())
    (page,) = slack_text.pages(tale.entries, after=2)
    assert (len(page.lines), page.through) == (1, 3)


def test_a_message_of_another_incident_or_another_kind_is_not_ours() -> None:
    incident = Story(story.opened()).incident
    other = Story(story.opened(), incident="inc-2").incident
    message = {"metadata": slack_text.mark(incident, kind="lines", through=7)}
    assert slack_text.marked(message, incident, kind="lines") == 7
    assert slack_text.marked(message, incident, kind="headline") is None
    assert slack_text.marked(message, other, kind="lines") is None
    assert slack_text.marked({}, incident, kind="lines") is None


def test_the_buttons_are_those_that_the_endpoint_knows() -> None:
    assert (slack_text.APPROVE, slack_text.DENY) == (door.APPROVE, door.DENY)
