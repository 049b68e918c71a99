"""What a check saw, in words."""

import pytest

from healer.model.outcome import Finding


@pytest.mark.parametrize(
    ("summary", "told"),
    [
        ("state is open", "breaker state is open"),
        ("breaker ssd of pod a is open", "breaker ssd of pod a is open"),
        ("breakers are closed", "breaker breakers are closed"),
    ],
)
def test_a_finding_is_told_with_its_name_once(summary: str, told: str) -> None:
    assert Finding(check="breaker", holds=True, summary=summary).told == told
