"""A guard never looks back further than is remembered: there it would see nothing, and allow."""

import pytest
from pydantic import BaseModel, ValidationError

from healer.guard.budget import BudgetParams
from healer.guard.cooldown import CooldownParams


@pytest.mark.parametrize(
    ("params", "name"), [(BudgetParams, "window"), (CooldownParams, "after")], ids=str
)
def test_what_looks_back_further_than_a_day_is_refused(params: type[BaseModel], name: str) -> None:
    params.model_validate({name: "1d"})
    with pytest.raises(ValidationError):
        params.model_validate({name: "25h"})
