"""The decode step as CUDA graphs: one launch where there were a thousand.

A graph holds shapes and addresses, so there is one for each size of the batch, over the whole of
its buffers, and it is captured anew when those move. Rows and columns not in use are computed too:
what they give is looked at by nobody. Each graph must first give what the model gave, bit for bit.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUntypedBaseClass=false
# torch and transformers ship types that strict checking cannot follow.

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

from inference.batch import Batch, Layers
from inference.trace import steady

log = logging.getLogger("inference.capture")

Tensor = Any
Step = Callable[[], Tensor]
"""Reads its inputs and leaves its outputs where they always are."""
Capture = Callable[[Step], tuple[Tensor, Step]]
"""Runs a step once; what it gave, and how to run it again."""


def captured(model: Any) -> "Captured | None":
    """The decode step of this model on its GPU, None where it cannot be captured."""
    if model.device.type != "cuda" or not steady(model):
        return None
    return Captured(model, CudaGraphs())


class Captured:
    """All sizes of one model's decode step; every method runs on the decode thread."""

    def __init__(self, model: Any, capture: Capture) -> None:
        self._model = model
        self._capture: Capture | None = capture
        self._made = 0
        self._graphs: dict[int, _Graph] = {}

    def __call__(self, batch: Batch, tokens: list[int], lengths: list[int]) -> Tensor | None:
        """Logits of all rows; None where the model has to be asked itself.

        The batch's new column is open: it has been shown.
        """
        if self._capture is None:
            return None
        if batch.made != self._made:
            self._graphs.clear()
            self._made = batch.made
        rows = len(tokens)
        size = min(_size(rows), int(batch.buffers()[0][0].shape[0]))
        try:
            with torch.inference_mode():
                graph = self._graphs.get(size)
                if graph is None:
                    graph = _Graph(self._model, batch.buffers(), size)
                    self._graphs[size] = graph
                graph.tell(tokens, lengths, batch.starts, batch.high)
                return graph.run(self._capture)[:rows]
        except Exception as error:  # noqa: BLE001 - whatever it is, the model itself still works
            log.warning("Decode step not captured: %s", error, extra={"event": "not_captured"})
            self._capture = None
            self._graphs.clear()
            return None


def _size(rows: int) -> int:
    """As few sizes as waste little: powers of two, then multiples of eight."""
    return 1 << (rows - 1).bit_length() if rows <= 8 else -(-rows // 8) * 8


class _Graph:
    """One size: the inputs' places, and the step over them."""

    def __init__(self, model: Any, buffers: Layers, rows: int) -> None:
        self._rows = rows
        keys = buffers[0][0]
        self._given = torch.zeros(3 * rows + 1, dtype=torch.long, device=keys.device)
        places = _Places(
            tokens=self._given[:rows, None],
            positions=self._given[rows : 2 * rows, None],
            starts=self._given[2 * rows : 3 * rows, None],
            column=self._given[3 * rows :],
            columns=torch.arange(int(keys.shape[-2]), device=keys.device),
        )
        self._step = _step_of(model, [(k[:rows], v[:rows]) for k, v in buffers], places)
        self._again: Step | None = None

    def tell(self, tokens: list[int], lengths: list[int], starts: list[int], column: int) -> None:
        """The inputs of the next run; rows that are not there begin at the first column."""
        rest = [0] * (self._rows - len(tokens))
        given = [*tokens, *rest, *lengths, *rest, *starts, *rest, column]
        self._given.copy_(torch.tensor(given))

    def run(self, capture: Capture) -> Tensor:
        """Logits; the first time it is captured, and proved."""
        if self._again is not None:
            return self._again()
        logits, again = capture(self._step)
        found = again()
        if not bool(((found == logits) | (found.isnan() & logits.isnan())).all()):
            most = float((found.float() - logits.float()).abs().max())
            msg = f"it differs by up to {most:g}"
            raise ArithmeticError(msg)
        self._again = again
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Places:
    """Where a step finds its inputs: [rows, 1] but the new column, [1], and all columns."""

    tokens: Tensor
    positions: Tensor
    starts: Tensor
    column: Tensor
    columns: Tensor


def _step_of(model: Any, buffers: Layers, places: _Places) -> Step:
    def step() -> Tensor:
        cache: Any = DynamicCache()
        cache.layers = [_Column(keys, values, places.column) for keys, values in buffers]
        mask = (places.columns >= places.starts) & (places.columns <= places.column)
        result = model(
            input_ids=places.tokens,
            attention_mask=mask[:, None, None],
            position_ids=places.positions,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
            return_dict=False,
        )
        return result[0][:, -1]

    return step


class _Column(DynamicLayer):  # type: ignore[misc] # transformers is untyped here
    """Whole buffers, of which one column takes the new token's keys and values."""

    keys: Tensor
    values: Tensor

    def __init__(self, keys: Tensor, values: Tensor, column: Tensor) -> None:
        super().__init__()
        self.keys, self.values, self._column = keys, values, column
        self.is_initialized = True

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Write it where the input says; all columns, for the mask tells which count."""
        del args, kwargs
        self.keys.index_copy_(2, self._column, key_states)
        self.values.index_copy_(2, self._column, value_states)
        return self.keys, self.values


class CudaGraphs:
    """Captures on a stream of its own.

    Each graph has a pool of its own: a shared one is gone with the last graph in it, and a capture
    into it fails then (torch 2.11, measured on an H200).
    """

    def __init__(self) -> None:
        self._stream: Any = torch.cuda.Stream()

    def __call__(self, step: Step) -> tuple[Tensor, Step]:
        """Run it as it is first: libraries make at their first call what no graph may make."""
        graph = torch.cuda.CUDAGraph()
        self._stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self._stream):
            wanted = step()
            # Threads that read the GPU's state must not spoil it.
            graph.capture_begin(capture_error_mode="thread_local")
            try:
                found = step()
            finally:
                graph.capture_end()
        torch.cuda.current_stream().wait_stream(self._stream)

        def again() -> Tensor:
            graph.replay()
            return found

        return wanted, again
