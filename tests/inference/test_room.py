"""Places for keys and values: who fits beside whom, and how long one may be who runs alone."""

from hypothesis import given
from hypothesis import strategies as st

from inference.room import Room


def test_one_long_request_makes_room_for_fewer() -> None:
    room = Room(places=10_000)
    assert room.takes(9, 800)
    assert not room.takes(10, 800)
    assert room.takes(3, 1800)
    assert not room.takes(4, 1800)


def test_without_a_bound_all_fit() -> None:
    assert Room().takes(100, 1_000_000)
    assert Room().longest(131_072) == 131_072
    assert Room().rows(64, 1_000_000) == 64


@given(
    places=st.integers(0, 100_000), most=st.integers(1, 50_000), ahead=st.sampled_from([64, 256])
)
def test_the_longest_that_is_told_fits_alone_and_one_a_little_longer_does_not(
    places: int, most: int, ahead: int
) -> None:
    room = Room(places=places, ahead=ahead)
    longest = room.longest(most)
    assert longest <= most
    assert longest == 0 or room.takes(1, longest)
    assert longest == most or not room.takes(1, longest + 2)
