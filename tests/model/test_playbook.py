"""Of the playbooks that fit an alert, the most specific is chosen, and always the same."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from healer.model.matcher import Matcher, MatchOp
from healer.model.playbook import Playbook, Verify, select

VERIFY = Verify(
    until="true",
    for_=timedelta(),
    timeout=timedelta(minutes=1),
    every=timedelta(seconds=1),
    watch=timedelta(),
)


def _matchers(**labels: str) -> tuple[Matcher, ...]:
    return tuple(
        Matcher(label=label, op=MatchOp.EQUAL, value=value) for label, value in labels.items()
    )


def _playbook(name: str, *match: tuple[Matcher, ...], services: tuple[str, ...] = ()) -> Playbook:
    return Playbook(
        name=name, title="", path="", digest="", match=match, services=services, verify=VERIFY
    )


SLOW = _playbook("SLOW", _matchers(alertname="Slow"))
SLOW_POD = _playbook("SLOW-POD", _matchers(alertname="Slow", pod="api-0"))
LABELS = {"alertname": "Slow", "pod": "api-0"}


def test_more_matchers_win() -> None:
    assert select([SLOW, SLOW_POD], "api", LABELS) is SLOW_POD
    assert select([SLOW, SLOW_POD], "api", {"alertname": "Slow"}) is SLOW


def test_a_named_service_wins_over_none() -> None:
    named = _playbook("Z", _matchers(alertname="Slow"), services=("api",))
    assert select([SLOW, named], "api", LABELS) is named
    assert select([SLOW, named], "web", LABELS) is SLOW


def test_one_alternative_is_enough_and_the_best_counts() -> None:
    either = _playbook("E", _matchers(alertname="Down"), _matchers(alertname="Slow", pod="api-0"))
    assert either.specificity("api", LABELS) == 2
    assert either.specificity("api", {"alertname": "Down"}) == 1
    assert either.specificity("api", {"alertname": "Slow"}) is None


def test_a_playbook_without_matchers_fits_nothing() -> None:
    assert _playbook("N").specificity("api", LABELS) is None
    assert _playbook("N", ()).specificity("api", LABELS) is None


def test_where_nothing_fits_nothing_is_chosen() -> None:
    assert select([SLOW], "api", {"alertname": "Other"}) is None
    assert select([], "api", LABELS) is None


@given(
    st.permutations(
        [SLOW, SLOW_POD, _playbook("A", _matchers(pod="api-0")), _playbook("B", ())]
        + [_playbook(name, _matchers(alertname="Slow", pod="api-0")) for name in ("X", "Y")]
    ),
    st.dictionaries(st.sampled_from(["alertname", "pod"]), st.sampled_from(["Slow", "api-0"])),
)
def test_the_choice_does_not_depend_on_the_order(
    playbooks: list[Playbook], labels: dict[str, str]
) -> None:
    by_name = sorted(playbooks, key=lambda playbook: playbook.name)
    assert select(playbooks, "api", labels) is select(by_name, "api", labels)
