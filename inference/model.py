"""Loads a model folder with transformers: weights, tokenizer, limits. Slow to import."""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false
# torch and transformers ship types that strict checking cannot follow.

import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging as transformers_logging

from inference.batch import Layers
from inference.page import Page, TensorCodec, pages_of
from inference.plan import Plan
from inference.room import AHEAD, AHEAD_STEADY, Room
from inference.sequence import Sequence
from inference.slot import Slots
from inference.text import Tokenizer
from inference.trace import head_size, steady

log = logging.getLogger("inference.model")


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A model that is ready to decode, and what the edges must know of it."""

    decoder: Slots
    network: Any
    tokenizer: Tokenizer
    codec: TensorCodec
    context: int
    """Tokens that a request may come to, by the model and by the room for its keys and values."""
    room: Room
    vocabulary: int
    digest: str
    parameters: int
    device: str


class _HuggingFaceTokenizer:
    def __init__(self, folder: Path) -> None:
        self._tokenizer: Any = AutoTokenizer.from_pretrained(str(folder), local_files_only=True)

    def encode(self, text: str) -> list[int]:
        return cast("list[int]", self._tokenizer.encode(text))

    def decode(self, tokens: list[int]) -> str:
        return cast("str", self._tokenizer.decode(tokens, skip_special_tokens=True))

    def chat(self, messages: list[dict[str, str]]) -> list[int]:
        if self._tokenizer.chat_template is None:
            msg = "this model has no chat template: use /v1/completions"
            raise ValueError(msg)
        text = self._tokenizer.apply_chat_template(
            messages, tokenize=False, add_generation_prompt=True
        )
        return cast("list[int]", self._tokenizer.encode(text, add_special_tokens=False))


def load(
    place: Path | Plan,
    *,
    digest: str,
    threads: int,
    chunk: int,
    page_tokens: int,
    keep: Callable[[Sequence, Callable[[int], Page]], None],
) -> Loaded:
    """Load a folder, or a folder by a plan, in this thread.

    `keep` is given the pages of every prefilled prompt.
    """
    torch.set_num_threads(threads)
    plan = place if isinstance(place, Plan) else Plan(folder=place, device=_fastest())
    model = weights(plan.folder, plan)

    def prefilled(sequence: Sequence, layers: Layers) -> None:
        keep(sequence, pages_of(layers, page_tokens))

    room = _room(model, plan.rest)
    slots = Slots(
        model=model, stop_tokens=_stop_tokens(model), chunk=chunk, prefilled=prefilled, room=room
    )
    most = int(model.config.max_position_embeddings)
    loaded = Loaded(
        decoder=slots,
        network=model,
        tokenizer=_HuggingFaceTokenizer(plan.folder),
        codec=TensorCodec(),
        context=room.longest(most),
        room=room,
        vocabulary=int(model.config.vocab_size),
        digest=digest,
        parameters=sum(int(each.numel()) for each in model.parameters()),
        device=plan.device,
    )
    told = {"event": "model_loaded", "parameters": loaded.parameters, "places": room.places}
    log.info("Model loaded", extra=told)
    if loaded.context < most:
        told = {"event": "context_shortened", "context": loaded.context, "model": most}
        log.warning("No room for the keys and values of the model's whole context", extra=told)
    return loaded


def weights(folder: Path, plan: Plan | None = None) -> Any:
    """The bare model, in memory of its own; by the plan where there is one."""
    _demand_config(folder)
    transformers_logging.disable_progress_bar()
    if plan is not None and plan.map is not None:
        return _spread(folder, plan)
    device = _fastest() if plan is None else plan.device
    # Mapped weights would die by SIGBUS with a file cut short, and change with one written over.
    model: Any = AutoModelForCausalLM.from_pretrained(
        str(folder), dtype="auto", local_files_only=True, disable_mmap=True
    )
    return model.to(device).eval()


def _fastest() -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"


def _spread(folder: Path, plan: Plan) -> Any:
    """Over several devices; what is on disk is read from the model's own files, again and again."""
    log.warning("Model spread over devices", extra={"event": "model_spread", "map": plan.map})
    model: Any = AutoModelForCausalLM.from_pretrained(
        str(folder), dtype="auto", local_files_only=True, device_map=dict(plan.map or {}),
        offload_folder=None if plan.offload is None else str(plan.offload),
    )  # fmt: skip
    return model.eval()


def _room(model: Any, rest: int | None) -> Room:
    """Places in so many bytes."""
    ahead = AHEAD_STEADY if model.device.type == "cuda" and steady(model) else AHEAD
    if rest is None:
        return Room(ahead=ahead)
    config = model.config.get_text_config(decoder=True)
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    place = 2 * config.num_hidden_layers * heads * head_size(config) * model.dtype.itemsize
    return Room(places=max(0, rest) // place, ahead=ahead)


def _demand_config(folder: Path) -> None:
    if not (folder / "config.json").is_file():
        msg = f"no model at {folder}: config.json is missing"
        raise FileNotFoundError(msg)


def _stop_tokens(model: Any) -> frozenset[int]:
    """The ends that the model's own configurations name."""
    found: set[int] = set()
    for config in (model.config, model.generation_config):
        ends = getattr(config, "eos_token_id", None)
        found.update(ends if isinstance(ends, list) else [] if ends is None else [ends])
    return frozenset(found)


def digest(folder: Path) -> str:
    """Names the weights of a folder never sealed, cheaply: a changed file makes another name."""
    _demand_config(folder)
    named = hashlib.sha256((folder / "config.json").read_bytes())
    for path in sorted(folder.glob("*.safetensors")):
        found = path.stat()
        named.update(f"{path.name} {found.st_size} {found.st_mtime_ns}".encode())
    return named.hexdigest()
