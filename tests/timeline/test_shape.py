"""Shapes are made from type hints; a type without one is found when healer starts, not later."""

from collections.abc import Mapping
from datetime import date, datetime

import pytest

from healer.timeline.shape import shape


@pytest.mark.parametrize(
    "hint",
    [float, date, dict[str, int], list[str], Mapping[str, int], tuple[str, int], int | str, "str"],
    ids=str,
)
def test_a_type_that_no_event_may_use_is_refused_at_once(hint: object) -> None:
    with pytest.raises(TypeError, match="no shape for"):
        shape(hint)


def test_what_orjson_writes_by_itself_is_left_to_it() -> None:
    for hint in (str, int, bool, datetime, tuple[str, ...], Mapping[str, str], str | None):
        assert shape(hint).plain is None
