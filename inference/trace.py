"""The model's sums as recorded graphs: the same sums without Python between them.

They spare a small model a third of its time, and the event loop has the interpreter meanwhile. Only
models that are known to compute the same whatever the numbers are recorded, and only what has
proved equal to the model's own forward, bit for bit, is used. Anything else runs as it is.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUntypedBaseClass=false, reportPrivateUsage=false
# torch and transformers ship types that strict checking cannot follow.

import logging
import warnings
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.jit._state as jit_state
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

from inference.apart import Apart, attention_apart

log = logging.getLogger("inference.trace")

Tensor = Any
Given = tuple[Tensor, ...]
Forward = Callable[..., Tensor]
"""Tokens [rows, 1], positions, open columns, keys and values by layer; logits [rows, words]."""
Prompts = Callable[[Tensor, Tensor, Tensor], Given]
"""Tokens [rows, width], positions, open columns; logits, and keys and values by layer."""

# No branch of their forward depends on data, and every layer looks at all that came before.
_KNOWN = ("llama", "mistral", "qwen2", "qwen3")
_STEADY_ROPE = ("default", "linear", "llama3")
# Rows and columns, the first to record, the others to prove by.
_SIZES = ((3, 17), (1, 5), (2, 40), (9, 33))


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """What was recorded of one model, and proved."""

    together: Forward
    """The decode step, every row padded to the longest."""
    apart: Forward
    """The same for a few long rows and the others: first the long ones' keys and values of a
    layer, then the others'. Proved against the model with that attention (`inference.apart`)."""
    prompts: Prompts
    """Whole prompts of two tokens at least, padded on the left."""


def recorded(model: Any) -> Recording | None:
    """The sums of this model, None where they are not to be recorded."""
    if model.device.type != "cpu" or not steady(model):
        return None
    model.requires_grad_(requires_grad=False)
    try:
        with _room_of_its_own():
            together = _proved(_together(model), (_rows(model, *size) for size in _SIZES))
            with attention_apart(model):
                apart = _proved(_apart(model), (_parts(model, *size) for size in _SIZES[::2]))
            prompts = _proved(_prompts(model), (_texts(model, *size) for size in _SIZES))
    except Exception as error:  # noqa: BLE001 - whatever it is, the model itself still works
        log.warning("Model not recorded: %s", error, extra={"event": "not_recorded"})
        return None
    return Recording(together=together, apart=apart, prompts=prompts)


def steady(model: Any) -> bool:
    """Does the model do the same whatever the numbers are, with every weight in one place?"""
    config = model.config
    rope = getattr(config, "rope_parameters", None) or {}
    return (
        getattr(config, "model_type", "") in _KNOWN
        and config._attn_implementation == "sdpa"  # noqa: SLF001 - nothing else tells
        and set(getattr(config, "layer_types", None) or ["full_attention"]) == {"full_attention"}
        and not getattr(config, "sliding_window", None)
        and rope.get("rope_type", "default") in _STEADY_ROPE
        # A recording would take what is kept on disk into memory.
        and getattr(model, "hf_device_map", None) is None
    )


def head_size(config: Any) -> int:
    """Numbers in a key or a value of one head, as the model's configuration tells it."""
    told = getattr(config, "head_dim", None)
    return int(told or config.hidden_size // config.num_attention_heads)


@contextmanager
def _room_of_its_own() -> Generator[None]:
    """torch keeps what is recorded, weights and all, for as long as the unit that it is put into.

    By habit that is one for the whole process. This one goes with the recordings in it.
    """
    before = jit_state._python_cu  # noqa: SLF001 - torch looks for it there, and nowhere else
    jit_state._python_cu = torch._C.CompilationUnit()  # noqa: SLF001
    try:
        yield
    finally:
        jit_state._python_cu = before  # noqa: SLF001


def _proved(step: Callable[..., Any], given: Iterator[Given]) -> Any:
    """A graph of it. ArithmeticError where it gives or leaves anything else."""
    with warnings.catch_warnings(), torch.no_grad():
        # It warns of branches on shapes, which are the same in every step.
        warnings.simplefilter("ignore")
        graph: Any = torch.jit.trace(step, next(given), check_trace=False)
        for each in given:
            other = tuple(tensor.clone() for tensor in each)
            found, wanted = _flat(graph(*each)), _flat(step(*other))
            if not all(map(torch.equal, (*found, *each), (*wanted, *other))):
                msg = "it differs from the model"
                raise ArithmeticError(msg)
    return graph


def _flat(given: Any) -> Given:
    return given if isinstance(given, tuple) else (given,)


def _together(model: Any) -> Forward:
    def step(tokens: Tensor, positions: Tensor, mask: Tensor, *pairs: Tensor) -> Tensor:
        layers = [_Open(*pair) for pair in zip(pairs[::2], pairs[1::2], strict=True)]
        return _forward(model, tokens, positions, mask, layers)[0]

    return step


def _apart(model: Any) -> Forward:
    def step(tokens: Tensor, positions: Tensor, mask: Tensor, *parts: Tensor) -> Tensor:
        fours = zip(*(parts[place::4] for place in range(4)), strict=True)
        layers = [Apart((long, others), (v, w)) for long, v, others, w in fours]
        return _forward(model, tokens, positions, mask, layers)[0]

    return step


def _prompts(model: Any) -> Prompts:
    def prefill(tokens: Tensor, positions: Tensor, mask: Tensor) -> Given:
        logits, cache = _forward(model, tokens, positions, mask, [])
        return (logits, *(each for layer in cache.layers for each in (layer.keys, layer.values)))

    return prefill


def _forward(
    model: Any, tokens: Tensor, positions: Tensor, mask: Tensor, layers: Sequence[DynamicLayer]
) -> tuple[Tensor, Any]:
    cache: Any = DynamicCache()
    cache.layers = list(layers)
    result = model(
        input_ids=tokens,
        attention_mask=mask,
        position_ids=positions,
        past_key_values=cache,
        use_cache=True,
        logits_to_keep=1,
        return_dict=False,
    )
    return result[0][:, -1], cache


class _Open(DynamicLayer):  # type: ignore[misc] # transformers is untyped here
    """Keys and values whose last column waits for the new token's."""

    keys: Tensor
    values: Tensor

    def __init__(self, keys: Tensor, values: Tensor) -> None:
        super().__init__()
        self.keys, self.values = keys, values
        self.is_initialized = True

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Fill the last column."""
        del args, kwargs
        self.keys[:, :, -1:] = key_states
        self.values[:, :, -1:] = value_states
        return self.keys, self.values


def _rows(model: Any, rows: int, columns: int) -> Given:
    """Any numbers, of the right shapes: parts of larger buffers, with padded rows."""
    config = model.config
    random = torch.Generator().manual_seed(rows)
    shape = (rows, config.num_key_value_heads, columns + 8, head_size(config))
    pairs = [
        torch.randn(shape, generator=random).to(model.dtype)[:, :, 4 : columns + 4]
        for _ in range(2 * config.num_hidden_layers)
    ]
    tokens = torch.randint(config.vocab_size, (rows, 1), generator=random)
    mask = torch.ones((rows, 1, 1, columns), dtype=torch.bool)
    mask[0, :, :, : columns // 3] = False
    return tokens, torch.full((rows, 1), columns - 1), mask, *pairs


def _parts(model: Any, rows: int, columns: int) -> Given:
    """The same with the first row apart from others of half the length."""
    tokens, positions, mask, *pairs = _rows(model, rows, columns)
    mask[1:, ..., : columns // 2] = False
    parts: list[Tensor] = []
    for keys, values in zip(pairs[::2], pairs[1::2], strict=True):
        parts += [keys[:1], values[:1]]
        parts += [keys[1:, :, columns // 2 :], values[1:, :, columns // 2 :]]
    return tokens, positions, mask, *parts


def _texts(model: Any, rows: int, width: int) -> Given:
    """Whole prompts, the first of them shorter than the others."""
    random = torch.Generator().manual_seed(rows)
    tokens = torch.randint(model.config.vocab_size, (rows, width), generator=random)
    pads = torch.zeros((rows, 1), dtype=torch.long)
    pads[0] = width // 3 if rows > 1 else 0
    return tokens, *padded_left(pads, width)


def padded_left(pads: Tensor, width: int) -> tuple[Tensor, Tensor]:
    """Positions [rows, width] and open columns [rows, 1, width, width] behind so many pads."""
    columns = torch.arange(width, device=pads.device)
    before = columns[None, :] <= columns[:, None]
    return (columns - pads).clamp(min=0), (columns >= pads)[:, None, None] & before
