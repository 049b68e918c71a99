"""Attention of a decode step whose first rows are long: they and the others apart.

Rows that decode together are padded to the longest, and attention is the only sum that pays for
padding. So it looks at the long rows with all their columns, at the others with only theirs.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUntypedBaseClass=false
# torch and transformers ship types that strict checking cannot follow.

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from transformers import AttentionInterface
from transformers.cache_utils import DynamicLayer
from transformers.integrations.sdpa_attention import sdpa_attention_forward

Tensor = Any
Parts = tuple[Tensor, Tensor]
"""Of the long rows, and of the others."""

_NAME = "sdpa_apart"
_WORTH = 512
"""Places of padding that must be spared. Two calls instead of one cost a small model as much as
some 350 (measured); the rest is for the rows that have to change places."""


def longest_apart(lengths: Sequence[int]) -> int:
    """How many of the longest rows to look at apart so that padding is least; 0 where none."""
    ordered = sorted(lengths, reverse=True)
    count = len(ordered)
    # Behind the k longest, each row is padded to the next one instead of to the very longest.
    spared = [(ordered[0] - ordered[k]) * (count - k) for k in range(1, count)]
    most = max(spared, default=0)
    return spared.index(most) + 1 if most >= _WORTH else 0


@contextmanager
def attention_apart(model: Any) -> Generator[None]:
    """Meanwhile this model's forward takes layers that are `Apart`."""
    config = model.config
    before = config._attn_implementation  # noqa: SLF001 - nothing else sets it without a check
    config._attn_implementation = _NAME  # noqa: SLF001
    try:
        yield
    finally:
        config._attn_implementation = before  # noqa: SLF001


class Apart(DynamicLayer):  # type: ignore[misc] # transformers is untyped here
    """Keys and values of both parts, whose last column waits for the new token's."""

    def __init__(self, keys: Parts, values: Parts) -> None:
        super().__init__()
        self.parts = keys, values
        self.is_initialized = True

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Any, Any]:
        """Fill the last column; the model hands what this gives to its attention, unseen."""
        del args, kwargs
        for (long, others), new in zip(self.parts, (key_states, value_states), strict=True):
            long[:, :, -1:] = new[: long.shape[0]]
            others[:, :, -1:] = new[long.shape[0] :]
        return self.parts


def _attention(
    module: Any, query: Tensor, key: Parts, value: Parts, attention_mask: Tensor, **more: Any
) -> tuple[Tensor, None]:
    """transformers' own, once for each part; every row's newest column is the last."""
    found: list[Tensor] = []
    first = 0
    for keys, values in zip(key, value, strict=True):
        last = first + keys.shape[0]
        mask = attention_mask[first:last, ..., attention_mask.shape[-1] - keys.shape[2] :]
        found.append(
            sdpa_attention_forward(module, query[first:last], keys, values, mask, **more)[0]
        )
        first = last
    return torch.cat(found), None


AttentionInterface.register(_NAME, _attention)
