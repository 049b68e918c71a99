"""The decode step as a recorded graph: the same sums without Python between them.

It spares a small model a third of its time, and the event loop has the interpreter meanwhile. Only
models that are known to compute the same whatever the numbers are recorded, and only what has
proved equal to the model's own forward, bit for bit, is used. Anything else decodes as it is.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false
# torch and transformers ship types that strict checking cannot follow.

import logging
import warnings
from collections.abc import Callable
from typing import Any, cast

import torch
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

log = logging.getLogger("inference.trace")

Tensor = Any
Forward = Callable[..., Tensor]
"""Tokens [rows, 1], positions, open columns, keys and values by layer; logits [rows, words]."""

# No branch of their forward depends on data, and every layer looks at all that came before.
_KNOWN = ("llama", "mistral", "qwen2", "qwen3")
_STEADY_ROPE = ("default", "linear", "llama3")
_RECORDED = (3, 17)
_PROVED = ((1, 5), (2, 40), (9, 33))


def recorded(model: Any) -> Forward | None:
    """The decode step of this model, None where it is not to be recorded."""
    if model.device.type != "cpu" or not steady(model):
        return None
    step = _step_of(model)
    try:
        with warnings.catch_warnings(), torch.no_grad():
            # It warns of branches on shapes, which are the same in every decode step.
            warnings.simplefilter("ignore")
            graph: Any = torch.jit.trace(step, _example(model, *_RECORDED), check_trace=False)
            if all(_equal(step, graph, _example(model, *each)) for each in _PROVED):
                return cast("Forward", graph)
        log.warning("Decode step not recorded: it differs", extra={"event": "not_recorded"})
    except Exception as error:  # noqa: BLE001 - whatever it is, the model itself still works
        log.warning("Decode step not recorded: %s", error, extra={"event": "not_recorded"})
    return None


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


def _step_of(model: Any) -> Forward:
    model.requires_grad_(requires_grad=False)

    def step(tokens: Tensor, positions: Tensor, mask: Tensor, *pairs: Tensor) -> Tensor:
        cache: Any = DynamicCache()
        cache.layers = [_Open(*pair) for pair in zip(pairs[::2], pairs[1::2], strict=True)]
        result = model(
            input_ids=tokens,
            attention_mask=mask,
            position_ids=positions,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
            return_dict=False,
        )
        return result[0][:, -1]

    return step


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


def _example(model: Any, rows: int, columns: int) -> tuple[Tensor, ...]:
    """Any numbers, of the right shapes: parts of larger buffers, with padded rows."""
    config = model.config
    random = torch.Generator().manual_seed(rows)
    size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    shape = (rows, config.num_key_value_heads, columns + 8, size)
    pairs = [
        torch.randn(shape, generator=random).to(model.dtype)[:, :, 4 : columns + 4]
        for _ in range(2 * config.num_hidden_layers)
    ]
    tokens = torch.randint(config.vocab_size, (rows, 1), generator=random)
    mask = torch.ones((rows, 1, 1, columns), dtype=torch.bool)
    mask[0, :, :, : columns // 3] = False
    return tokens, torch.full((rows, 1), columns - 1), mask, *pairs


def _equal(step: Forward, graph: Forward, given: tuple[Tensor, ...]) -> bool:
    """The same logits, and the same keys and values left behind."""
    other = tuple(each.clone() for each in given)
    found, wanted = graph(*given), step(*other)
    return bool(torch.equal(found, wanted)) and all(map(torch.equal, given, other))
