"""Which rows are looked at apart: those that spare the others the most padding, where it pays."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytestmark = pytest.mark.real


def _padding(lengths: list[int], long: int) -> int:
    """Places that hold nothing, with so many of the longest rows apart."""
    ordered = sorted(lengths, reverse=True)
    parts = [part for part in (ordered[:long], ordered[long:]) if part]
    return sum(part[0] * len(part) - sum(part) for part in parts)


@pytest.mark.parametrize(
    ("lengths", "long"),
    [
        ([], 0),
        ([900], 0),
        ([60] * 8, 0),
        ([100, 60, 60, 60], 0),
        ([700, 20, 20, 20, 20, 20, 20, 20], 1),
        ([20, 700, 20, 650, 20, 20], 2),
        ([900, 20], 1),
    ],
    ids=str,
)
def test_the_longest_go_apart_where_it_pays(lengths: list[int], long: int) -> None:
    from inference.apart import longest_apart

    assert longest_apart(lengths) == long


@given(st.lists(st.integers(1, 2000), max_size=12))
def test_no_other_number_of_rows_leaves_less_padding(lengths: list[int]) -> None:
    from inference.apart import longest_apart

    long = longest_apart(lengths)
    least = min(_padding(lengths, each) for each in range(max(1, len(lengths))))
    if long:
        assert _padding(lengths, long) == least
    else:
        assert _padding(lengths, 0) - least < 512
