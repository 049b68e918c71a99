"""Sizes as Kubernetes writes them."""

import pytest

from healer.kit.quantity import format_bytes, parse_bytes


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("300Gi", 300 * 2**30),
        ("1500M", 1_500_000_000),
        ("2e9", 2_000_000_000),
        ("1.5Ki", 1536),
        (" 7 ", 7),
        ("500m", 1),
        ("0", 0),
    ],
)
def test_a_size_is_read_to_the_byte(text: str, number: int) -> None:
    assert parse_bytes(text) == number


@pytest.mark.parametrize("text", ["", "Gi", "300 GB", "300GiB", "-1Gi", "NaN", "Infinity", "1gi"])
def test_what_is_no_size_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="is no size"):
        parse_bytes(text)


@pytest.mark.parametrize(
    ("number", "text"), [(300 * 2**30, "300Gi"), (1536, "1.5Ki"), (12, "12"), (0, "0")]
)
def test_a_size_is_shown_as_people_read_it(number: int, text: str) -> None:
    assert format_bytes(number) == text
