"""Every check declares what its findings hold, for cases of playbooks and conditions name it."""

from typing import Any

import pytest
from pydantic import TypeAdapter

from healer.app.vocabulary import vocabulary

WORDS = vocabulary()


@pytest.mark.parametrize("check", sorted(WORDS.checks))
def test_the_evidence_of_every_check_is_declared(check: str) -> None:
    kinds = WORDS.evidence.get(check)
    assert kinds, f"{check} lacks `evidence = Kinds({{…}})`; copy from check/prometheus.py"
    for kind in kinds.values():
        adapter: TypeAdapter[Any] = TypeAdapter(kind)
        assert adapter.json_schema()
