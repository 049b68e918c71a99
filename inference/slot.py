"""Dense slots: one padded batch over plain `model.forward` and a DynamicCache. The engine's sums.

Rows are padded on the left, so that every row's newest token sits in the last column.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false
# pyright: reportUnknownLambdaType=false
# torch and transformers ship types that strict checking cannot follow; they are met here only.

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.nn import functional
from transformers import DynamicCache

from inference.sampling import Sampler
from inference.sequence import Sequence

Tensor = Any
Layers = list[tuple[Tensor, Tensor]]

_NO_NUMBERS = "the logits hold NaN or infinity"


@dataclass(slots=True, kw_only=True)
class _Row:
    sequence: Sequence
    sampler: Sampler
    length: int
    token: int


@dataclass(slots=True, kw_only=True)
class _Prefill:
    cache: Any
    done: int = 0
    logits: Tensor = field(default=None)


def layers_of(cache: Any) -> Layers:
    """Keys and values of every layer."""
    return [(layer.keys, layer.values) for layer in cache.layers]


def cache_of(layers: Layers) -> Any:
    """A cache that holds these keys and values."""
    cache: Any = DynamicCache()
    for index, (keys, values) in enumerate(layers):
        cache.update(keys, values, index)
    return cache


class Slots:
    """The decoder that the engine drives; every method runs on the decode thread."""

    def __init__(
        self,
        *,
        model: Any,
        stop_tokens: frozenset[int],
        chunk: int,
        prefilled: Callable[[Sequence, Layers], None],
    ) -> None:
        self.stop_tokens = stop_tokens
        self._model = model
        self._device = model.device
        self._chunk = chunk
        self._prefilled = prefilled
        self._pending: dict[Sequence, _Prefill] = {}
        self._rows: list[_Row] = []
        self._layers: Layers = []

    def begin(self, sequence: Sequence) -> None:
        """Start from the cached prefix where there is one."""
        start = _Prefill(cache=DynamicCache())
        if sequence.prefix:
            pairs = zip(*sequence.prefix, strict=True)
            start.cache = cache_of([_join_pages(list(pair), self._device) for pair in pairs])
            start.done = int(start.cache.get_seq_length())
            sequence.prefix = []
        self._pending[sequence] = start

    def prefill(self, sequence: Sequence) -> int | None:
        """One chunk of the prompt; the first token after the last chunk."""
        state = self._pending[sequence]
        chunk = sequence.prompt[state.done : state.done + self._chunk]
        with torch.inference_mode():
            ids = torch.tensor([chunk], device=self._device)
            result = self._model(
                input_ids=ids, past_key_values=state.cache, use_cache=True, logits_to_keep=1
            )
        state.done += len(chunk)
        if state.done < len(sequence.prompt):
            return None
        del self._pending[sequence]
        sampler = Sampler(sequence.sampling, self._device)
        logits = result.logits[0, -1]
        if not bool(logits.max().isfinite()):
            raise FloatingPointError(_NO_NUMBERS)
        token = sampler.choose(logits)
        layers = layers_of(state.cache)
        self._prefilled(sequence, layers)
        self._join(_Row(sequence=sequence, sampler=sampler, length=state.done, token=token), layers)
        return token

    def step(self) -> list[tuple[Sequence, int | Exception]]:
        """One token for every row; a row that fails fails alone."""
        try:
            logits, self._layers = self._forward(self._rows, self._layers)
        except Exception as error:  # noqa: BLE001 - the rows are tried one by one below
            if len(self._rows) == 1:
                return [(self._rows[0].sequence, error)]
            return self._step_alone()
        outcomes = self._choose(self._rows, logits)
        return [(row.sequence, each) for row, each in zip(self._rows, outcomes, strict=True)]

    def remove(self, sequences: set[Sequence]) -> None:
        """Drop rows and the columns that only they needed."""
        for sequence in sequences:
            self._pending.pop(sequence, None)
        kept = [i for i, row in enumerate(self._rows) if row.sequence not in sequences]
        if len(kept) == len(self._rows):
            return
        self._rows = [self._rows[i] for i in kept]
        if not kept:
            self._layers = []
            return
        width = max(row.length for row in self._rows)
        index = torch.tensor(kept, device=self._device)
        self._layers = [
            (keys[index, :, -width:], values[index, :, -width:]) for keys, values in self._layers
        ]

    def clear(self) -> None:
        """Start anew."""
        self._pending.clear()
        self._rows, self._layers = [], []

    def _join(self, row: _Row, layers: Layers) -> None:
        self._rows.append(row)
        if len(self._rows) == 1:
            self._layers = layers
            return
        self._layers = [
            (_stack(old_keys, keys), _stack(old_values, values))
            for (old_keys, old_values), (keys, values) in zip(self._layers, layers, strict=True)
        ]

    def _forward(self, rows: list[_Row], layers: Layers) -> tuple[Tensor, Layers]:
        """Logits of the next token; the given layers are left as they are."""
        width = int(layers[0][0].shape[-2])
        lengths = torch.tensor([[row.length] for row in rows], device=self._device)
        columns = torch.arange(width + 1, device=self._device)
        mask = columns >= width - lengths
        cache = _shared(layers)
        with torch.inference_mode():
            result = self._model(
                input_ids=torch.tensor([[row.token] for row in rows], device=self._device),
                attention_mask=None if bool(mask.all()) else mask.long(),
                position_ids=lengths,
                past_key_values=cache,
                use_cache=True,
                logits_to_keep=1,
            )
        for row in rows:
            row.length += 1
        return result.logits[:, -1], layers_of(cache)

    def _choose(self, rows: list[_Row], logits: Tensor) -> list[int | Exception]:
        # The largest is NaN where any is, so looking for it costs nothing more.
        best = logits.max(dim=-1)
        greedy, finite = best.indices.tolist(), best.values.isfinite().tolist()
        outcomes: list[int | Exception] = []
        for index, row in enumerate(rows):
            if not finite[index]:
                outcomes.append(FloatingPointError(_NO_NUMBERS))
                continue
            try:
                row.token = (
                    greedy[index] if row.sampler.greedy else row.sampler.choose(logits[index])
                )
            except Exception as error:  # noqa: BLE001 - one row's sampling fails that row only
                outcomes.append(error)
            else:
                outcomes.append(row.token)
        return outcomes

    def _step_alone(self) -> list[tuple[Sequence, int | Exception]]:
        """The batch failed: run each row by itself, so that only the culprit fails."""
        outcomes: list[tuple[Sequence, int | Exception]] = []
        parts: list[Layers] = []
        for index, row in enumerate(self._rows):
            part = [(k[index : index + 1], v[index : index + 1]) for k, v in self._layers]
            try:
                logits, grown = self._forward([row], part)
                outcome = self._choose([row], logits)[0]
            except Exception as error:  # noqa: BLE001 - reported as this row's outcome
                outcome, row.length = error, row.length + 1
                grown = [_widened(pair) for pair in part]
            outcomes.append((row.sequence, outcome))
            parts.append(grown)
        self._layers = [
            (torch.cat([k for k, _ in pairs]), torch.cat([v for _, v in pairs]))
            for pairs in zip(*parts, strict=True)
        ]
        return outcomes


def _shared(layers: Layers) -> Any:
    """A cache over the same tensors: its update makes new ones, so a failed step loses nothing."""
    cache: Any = DynamicCache()
    for index, (keys, values) in enumerate(layers):
        cache.update(keys[..., :0, :], values[..., :0, :], index)
        cache.layers[index].keys, cache.layers[index].values = keys, values
    return cache


def _join_pages(pairs: list[tuple[Tensor, Tensor]], device: Any) -> tuple[Tensor, Tensor]:
    return (
        torch.cat([keys for keys, _ in pairs], dim=-2).to(device),
        torch.cat([values for _, values in pairs], dim=-2).to(device),
    )


def _stack(old: Tensor, new: Tensor) -> Tensor:
    width = max(old.shape[-2], new.shape[-2])
    return torch.cat([_padded(old, width), _padded(new, width)])


def _padded(tensor: Tensor, width: int) -> Tensor:
    missing = width - tensor.shape[-2]
    return functional.pad(tensor, (0, 0, missing, 0)) if missing else tensor


def _widened(pair: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """Room for the token a failed row never got; the row is removed right after."""
    return functional.pad(pair[0], (0, 0, 0, 1)), functional.pad(pair[1], (0, 0, 0, 1))
