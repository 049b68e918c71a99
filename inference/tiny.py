"""Makes the models that lab, tests and benchmark serve: random weights, own tokenizer, no network.

The tiny one speaks nonsense at the price of two million parameters, the large one at that of three
billion, for a GPU; everything else about them is real.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportCallIssue=false
# torch, transformers and tokenizers ship types that strict checking cannot follow.

from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    AutoModelForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
)
from transformers.utils import logging as transformers_logging

from inference.seal import seal

_SPECIAL = ("<|pad|>", "<|begin|>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>")
_VOCABULARY = 1024
_TEMPLATE = (
    "{{ '<|begin|>' }}{% for m in messages %}"
    "{{ '<|' + m['role'] + '|>' + m['content'] + '<|end|>' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)
# The tokenizer learns its merges from this text, so that the same model comes out everywhere.
_TEXT = """
A server that answers questions keeps a queue, a cache and a promise. The queue holds the requests
that wait, the cache holds the work that was done before, and the promise is an answer in time.
When the disk is full the cache cannot grow, yet the answers go on; when the queue is long the
answers are late, and someone should add a replica. A circuit breaker opens after failures, waits,
tries once, and closes again when the volume is sound. Health is not that a process is there but
that it moves: tokens come out, steps are counted, and the counter must not stand still while work
is running. Operators read metrics first and logs second; the numbers say what is wrong and the
words say why. What is the capital of the country? Write a short story about a river and a bridge.
Explain how a model predicts the next word from the words before it. Summarise the following report
for the team on call: latency was high between nine and ten, memory was fine, errors were few, and
the queue was backed up because one replica had been lost. Translate the sentence, count to ten,
list the steps, name the cause, propose the remedy, and tell the people who need to know about it.
one two three four five six seven eight nine ten monday tuesday wednesday thursday friday saturday
sunday january february march april may june july august september october november december
"""


SIZES: dict[str, dict[str, int]] = {
    "tiny": {
        "hidden_size": 192,
        "intermediate_size": 512,
        "num_hidden_layers": 4,
        "num_attention_heads": 6,
        "num_key_value_heads": 2,
    },
    # The layers of Llama 3.2 3B, without its vocabulary.
    "3b": {
        "hidden_size": 3072,
        "intermediate_size": 8192,
        "num_hidden_layers": 28,
        "num_attention_heads": 24,
        "num_key_value_heads": 8,
    },
}


def make_model(folder: Path, *, seed: int = 0, size: str = "tiny") -> None:
    """Write model, tokenizer, chat template, manifest; the same seed writes the same weights.

    The large one is made in bfloat16, and on a GPU where there is one, for speed.
    """
    transformers_logging.disable_progress_bar()
    folder.mkdir(parents=True, exist_ok=True)
    _tokenizer().save_pretrained(str(folder))
    torch.manual_seed(seed)
    model = _model(size)
    model.generation_config.do_sample = False
    model.save_pretrained(str(folder), max_shard_size="4MB" if size == "tiny" else "2GB")
    seal(folder)


def _model(size: str) -> Any:
    if size == "tiny":
        return LlamaForCausalLM(_config(size)).eval()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    with torch.device(device):
        auto: Any = AutoModelForCausalLM
        return auto.from_config(_config(size), dtype=torch.bfloat16).eval()


def _config(size: str) -> Any:
    config: Any = LlamaConfig
    return config(
        vocab_size=_VOCABULARY,
        **SIZES[size],
        max_position_embeddings=2048,
        # Wide enough that greedy output wanders instead of repeating one token for ever.
        initializer_range=0.1,
        tie_word_embeddings=False,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
    )


def _tokenizer() -> Any:
    tokenizer: Any = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=_VOCABULARY,
        special_tokens=list(_SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_TEXT.splitlines(), trainer)
    # Random weights may answer any token: every id must have a text.
    missing = _VOCABULARY - tokenizer.get_vocab_size()
    tokenizer.add_tokens([f"<spare{index}>" for index in range(missing)])
    fast: Any = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=_SPECIAL[0],
        bos_token=_SPECIAL[1],
        eos_token=_SPECIAL[2],
        clean_up_tokenization_spaces=False,
    )
    fast.add_special_tokens({"additional_special_tokens": list(_SPECIAL[3:])})
    fast.chat_template = _TEMPLATE
    return fast
