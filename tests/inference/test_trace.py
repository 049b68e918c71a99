"""Recording the decode step: which models it is for, and that nothing unproved is used."""

import gc
from typing import Any

import pytest

from inference.memory import used_bytes
from inference.trace import recorded

pytestmark = pytest.mark.real

SIZES: dict[str, Any] = {
    "vocab_size": 50,
    "hidden_size": 32,
    "intermediate_size": 40,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 128,
}


def tiny(kind: str, **more: Any) -> Any:
    """A model of that family with random weights."""
    import transformers

    configs: dict[str, Any] = {
        "llama": transformers.LlamaConfig,
        "mistral": transformers.MistralConfig,
        "qwen2": transformers.Qwen2Config,
        "qwen3": transformers.Qwen3Config,
        "gpt_neox": transformers.GPTNeoXConfig,
    }
    sizes = {k: v for k, v in SIZES.items() if kind != "gpt_neox" or "key" not in k}
    config = configs[kind](**{**sizes, **more})
    auto: Any = transformers.AutoModelForCausalLM
    return auto.from_config(config).eval()


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("llama", {}),
        ("llama", {"num_key_value_heads": 4}),
        ("mistral", {"sliding_window": None}),
        ("qwen2", {}),
        ("qwen3", {"head_dim": 16}),
    ],
    ids=str,
)
def test_known_families_are_recorded(kind: str, more: dict[str, Any]) -> None:
    assert recorded(tiny(kind, **more)) is not None


@pytest.mark.parametrize("kind", ["llama", "qwen3"])
def test_rows_apart_get_what_rows_together_get(kind: str) -> None:
    import torch

    model = tiny(kind)
    recording = recorded(model)
    assert recording is not None
    shape = (5, model.config.num_key_value_heads, 90, model.model.layers[0].self_attn.head_dim)
    buffers = [torch.randn(shape) for _ in range(2 * model.config.num_hidden_layers)]
    mask = torch.ones((5, 1, 1, 90), dtype=torch.bool)
    mask[2:, ..., :60] = False
    given = torch.tensor([[7]] * 5), torch.tensor([[89]] * 2 + [[29]] * 3), mask
    copies = [buffer.clone() for buffer in buffers]
    with torch.inference_mode():
        together = recording.together(*given, *buffers)
        parts = [
            part
            for keys, values in zip(copies[::2], copies[1::2], strict=True)
            for part in (keys[:2], values[:2], keys[2:, :, 60:], values[2:, :, 60:])
        ]
        apart = recording.apart(*given, *parts)
    assert torch.allclose(apart, together, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(apart[0], apart[4], rtol=1e-1), "rows that differ look alike"
    for copy, buffer in zip(copies, buffers, strict=True):  # the new column is in both
        assert torch.allclose(copy, buffer, rtol=1e-4, atol=1e-5)
    assert model.config._attn_implementation == "sdpa"


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("gpt_neox", {}),
        ("mistral", {"sliding_window": 8}),
        ("llama", {"attn_implementation": "eager"}),
        ("llama", {"rope_parameters": {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 1e4}}),
    ],
    ids=str,
)
def test_what_is_not_known_to_be_steady_is_not(kind: str, more: dict[str, Any]) -> None:
    assert recorded(tiny(kind, **more)) is None


def test_the_weights_of_a_model_that_is_gone_are_not_kept_by_what_was_recorded() -> None:
    wide = {"hidden_size": 512, "intermediate_size": 2048, "num_hidden_layers": 4}
    held: list[int] = []
    for _ in range(6):
        assert recorded(tiny("llama", **wide)) is not None
        gc.collect()
        held.append(used_bytes())
    # 72 MB a model; the first ones warm up what torch keeps for good.
    assert held[-1] - held[1] < 72e6


class Moody:
    """A model whose forward goes by what the numbers are, which no recording can keep."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self.config, self.device, self.dtype = model.config, model.device, model.dtype

    def requires_grad_(self, *, requires_grad: bool) -> None:
        self._model.requires_grad_(requires_grad=requires_grad)

    def __call__(self, **given: Any) -> Any:
        logits = self._model(**given)[0]
        return [logits * 2 if bool(given["input_ids"].sum() % 2) else logits]


def test_a_recording_that_differs_is_not_used(caplog: pytest.LogCaptureFixture) -> None:
    assert recorded(Moody(tiny("llama"))) is None
    assert "it differs" in caplog.text


class Broken(Moody):
    """Its forward does not even run."""

    def __call__(self, **given: Any) -> Any:
        msg = "no kernel for this"
        raise RuntimeError(msg)


def test_a_model_that_cannot_be_recorded_is_served_as_it_is(
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert recorded(Broken(tiny("llama"))) is None
    assert "no kernel for this" in caplog.text
