"""Why a playbook starts or does not is said in terms of its matchers and the alert's labels."""

from dataclasses import replace
from datetime import timedelta

from healer.model.playbook import Playbook, Verify
from healer.playbook.explain import why
from healer.playbook.matching import parse_matcher

BROAD = Playbook(
    name="BROAD",
    title="",
    path="",
    digest="",
    match=((parse_matcher('alertname="Slow"'),),),
    verify=Verify(
        until="true",
        for_=timedelta(),
        timeout=timedelta(minutes=1),
        every=timedelta(seconds=1),
        watch=timedelta(),
    ),
)
NARROW = replace(
    BROAD,
    name="NARROW",
    match=((parse_matcher('alertname="Slow"'), parse_matcher('tier=~"gpu|cpu"')),),
)
LABELS = {"alertname": "Slow", "tier": "gpu"}


def test_the_winner_is_told_by_what_holds() -> None:
    assert why(NARROW, "api", LABELS, winner=NARROW) == 'alertname="Slow", tier=~"gpu|cpu" holds'


def test_the_less_specific_one_is_told_who_is_more_specific() -> None:
    told = why(BROAD, "api", LABELS, winner=NARROW)
    assert told == 'alertname="Slow" holds, but `NARROW` is more specific'


def test_of_equals_the_first_by_name_wins() -> None:
    other = replace(BROAD, name="A")
    assert why(BROAD, "api", LABELS, winner=other).endswith("but `A` comes first by name")


def test_the_matcher_that_fails_is_told_with_the_value_it_fails_on() -> None:
    told = why(NARROW, "api", {"alertname": "Slow", "tier": "tpu"}, winner=BROAD)
    assert told == 'tier=~"gpu|cpu" fails: tier is "tpu"'
    told = why(NARROW, "api", {"alertname": "Slow"}, winner=BROAD)
    assert told == 'tier=~"gpu|cpu" fails: the alert has no label tier'


def test_a_playbook_of_another_service_says_whose_it_is() -> None:
    told = why(replace(BROAD, services=("web",)), "api", LABELS, winner=None)
    assert told == "it is for web, not for api"
