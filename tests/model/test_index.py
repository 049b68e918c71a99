"""Whoever matches is among the candidates, in the order given; most who do not are never asked."""

from hypothesis import given
from hypothesis import strategies as st

from healer.model.index import Index
from healer.model.matcher import Matcher, MatchOp, all_match

names = st.sampled_from(["service", "pod", "alertname"])
values = st.sampled_from(["", "a", "b", "c"])
matchers = st.builds(Matcher, label=names, op=st.sampled_from(list(MatchOp)), value=values)
alternatives = st.lists(st.lists(matchers, max_size=3).map(tuple), max_size=3)


@given(st.lists(alternatives, max_size=8), st.dictionaries(names, values))
def test_nobody_who_matches_is_missed(
    items: list[list[tuple[Matcher, ...]]], labels: dict[str, str]
) -> None:
    index = Index((item, number) for number, item in enumerate(items))
    candidates = index.candidates(labels)
    matching = [
        number
        for number, item in enumerate(items)
        if any(all_match(matchers, labels) for matchers in item)
    ]
    assert [number for number in candidates if number in matching] == matching
    assert list(candidates) == sorted(set(candidates))


def test_of_five_hundred_services_one_is_asked() -> None:
    def owner(name: str) -> list[tuple[Matcher, ...]]:
        return [(Matcher(label="service", op=MatchOp.EQUAL, value=name),)]

    index = Index((owner(f"chat-{number}"), number) for number in range(500))
    assert index.candidates({"service": "chat-7", "pod": "x"}) == [7]
    assert index.candidates({"pod": "x"}) == []
