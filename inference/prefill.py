"""Prompts on their way to the first token: whole ones together, long ones chunk by chunk.

It runs them through the model and keeps what is half done; what comes of it is the caller's.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false
# torch and transformers ship types that strict checking cannot follow.

import logging
from dataclasses import dataclass
from typing import Any

import torch
from transformers import DynamicCache

from inference.batch import Layers
from inference.sequence import Sequence
from inference.trace import Prompts, padded_left

log = logging.getLogger("inference.prefill")

Tensor = Any
Group = list[Sequence]
Result = tuple[Tensor, Layers]
"""Logits after the last token [rows, words], and keys and values, padded on the left."""

_SHORT = 256
"""Columns up to which a recording is quicker than the model's own forward (measured)."""


@dataclass(slots=True, kw_only=True)
class _Begun:
    cache: Any
    done: int = 0


class Prefill:
    """The prompts that wait; every method runs on the decode thread."""

    def __init__(self, *, model: Any, chunk: int, recorded: Prompts | None) -> None:
        self._model = model
        self._device = model.device
        self._chunk = chunk
        self._recorded = recorded
        self._begun: dict[Sequence, _Begun] = {}

    @property
    def tokens(self) -> int:
        """Of all prompts that are not through yet."""
        return sum(len(sequence.prompt) for sequence in self._begun)

    def begin(self, sequence: Sequence) -> None:
        """Start from the cached prefix where there is one."""
        start = _Begun(cache=None)
        if sequence.prefix:
            pairs = zip(*sequence.prefix, strict=True)
            start.cache = _cache_of([_join_pages(list(pair), self._device) for pair in pairs])
            start.done = int(start.cache.get_seq_length())
            sequence.prefix = []
        self._begun[sequence] = start

    def forget(self, sequence: Sequence) -> None:
        """It is through, or nobody wants it any more."""
        self._begun.pop(sequence, None)

    def clear(self) -> None:
        """Forget all."""
        self._begun.clear()

    def groups(self) -> list[Group]:
        """Whole prompts of like length together, as many as one chunk holds; others alone."""
        groups: list[Group] = []
        whole = [each for each in self._begun if self._whole(each)]
        for sequence in sorted(whole, key=lambda each: len(each.prompt)):
            if groups and (len(groups[-1]) + 1) * len(sequence.prompt) <= self._chunk:
                groups[-1].append(sequence)
            else:
                groups.append([sequence])
        return groups + [[each] for each in self._begun if not self._whole(each)]

    def run(self, group: Group) -> Result | None:
        """One forward for one of the groups; None where its prompt goes on."""
        with torch.inference_mode():
            return self._together(group) if self._whole(group[0]) else self._further(group[0])

    def _whole(self, sequence: Sequence) -> bool:
        return not self._begun[sequence].done and len(sequence.prompt) <= self._chunk

    def _together(self, group: Group) -> Result:
        """Whole prompts, padded on the left."""
        lengths = [len(sequence.prompt) for sequence in group]
        width = max(lengths)
        padded = [[0] * (width - len(each.prompt)) + each.prompt for each in group]
        tokens = torch.tensor(padded, device=self._device)
        pads = torch.tensor([[width - length] for length in lengths], device=self._device)
        uneven = min(lengths) < width
        if self._recorded is None or not 1 < width <= _SHORT:
            return self._plainly(tokens, pads, uneven=uneven)
        try:
            logits, *flat = self._recorded(tokens, *padded_left(pads, width))
        except Exception:
            log.debug("a recorded prefill fails", exc_info=True)
            result = self._plainly(
                tokens, pads, uneven=uneven
            )  # which says in its own words what is wrong
            log.warning("Recorded prefill given up", extra={"event": "recording_given_up"})
            self._recorded = None
            return result
        return logits, list(zip(flat[::2], flat[1::2], strict=True))

    def _plainly(self, tokens: Tensor, pads: Tensor, *, uneven: bool) -> Result:
        """By the model itself. A mask that hides nothing would only cost it time."""
        if not uneven:
            return self._forward(tokens, DynamicCache())
        columns = torch.arange(tokens.shape[1], device=self._device)
        return self._forward(
            tokens,
            DynamicCache(),
            attention_mask=(columns >= pads).long(),
            position_ids=(columns - pads).clamp(min=0),
        )

    def _further(self, sequence: Sequence) -> Result | None:
        """One more chunk of one prompt."""
        begun = self._begun[sequence]
        chunk = sequence.prompt[begun.done : begun.done + self._chunk]
        begun.cache = DynamicCache() if begun.cache is None else begun.cache
        result = self._forward(torch.tensor([chunk], device=self._device), begun.cache)
        begun.done += len(chunk)
        return result if begun.done == len(sequence.prompt) else None

    def _forward(self, tokens: Tensor, cache: Any, **padding: Tensor) -> Result:
        result = self._model(
            input_ids=tokens, past_key_values=cache, use_cache=True, logits_to_keep=1, **padding
        )
        return result.logits[:, -1], [(layer.keys, layer.values) for layer in cache.layers]


def _cache_of(layers: Layers) -> Any:
    cache: Any = DynamicCache()
    for index, (keys, values) in enumerate(layers):
        cache.update(keys, values, index)
    return cache


def _join_pages(pairs: list[tuple[Tensor, Tensor]], device: Any) -> tuple[Tensor, Tensor]:
    return (
        torch.cat([keys for keys, _ in pairs], dim=-2).to(device),
        torch.cat([values for _, values in pairs], dim=-2).to(device),
    )
