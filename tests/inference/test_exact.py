"""Greedy output is that of `model.generate`, token for token, whatever else the server does.

The weights are of double precision here: in single precision two tokens may be so nearly as likely
that the order of a sum decides, and then there is no right answer to compare with.
"""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference import manifest
from inference.batch import Layers
from inference.sequence import Event, Finish, Sampling, Sequence
from tests.inference.running import Running, Start

pytestmark = [pytest.mark.real, pytest.mark.timeout(180)]

LONGEST = 20


def _prompts() -> list[list[int]]:
    """From one token to more than a chunk; many begin as others do."""
    rng = random.Random(7)
    stems = [[rng.randrange(6, 1000) for _ in range(length)] for length in (0, 9, 17, 30)]
    return [
        stem + [rng.randrange(6, 1000) for _ in range(length)]
        for stem in stems
        for length in (1, 5, 12, 28)
    ]


PROMPTS = _prompts()


class Reference:
    """transformers' own loop upon the same weights; each prompt is asked for once."""

    def __init__(self, folder: Path) -> None:
        import torch
        from transformers import AutoModelForCausalLM

        torch.set_num_threads(1)  # as the server does: more only get into each other's way
        auto: Any = AutoModelForCausalLM
        self.folder = folder
        self.slots: dict[int, Any] = {}
        self.model: Any = auto.from_pretrained(
            str(folder), dtype="auto", local_files_only=True, disable_mmap=True
        )
        self.model.generation_config.eos_token_id = None
        self._known: dict[tuple[int, ...], list[int]] = {}

    def tokens(self, prompt: list[int]) -> list[int]:
        """The answer; a stop token in it is its end for whoever minds stop tokens."""
        key = tuple(prompt)
        if key not in self._known:
            import torch

            ids = torch.tensor([prompt])
            whole = self.model.generate(
                ids,
                attention_mask=torch.ones_like(ids),
                max_new_tokens=LONGEST,
                do_sample=False,
                pad_token_id=0,
            )
            self._known[key] = [int(token) for token in whole[0, len(prompt) :]]
        return self._known[key]


@pytest.fixture(scope="module")
def reference(model_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Reference:
    """The tiny model in double precision."""
    import shutil

    from transformers import AutoModelForCausalLM

    from inference.seal import seal

    folder = tmp_path_factory.mktemp("double") / "model"
    shutil.copytree(model_dir, folder)
    for old in (*folder.glob("*.safetensors*"), folder / "manifest.json"):
        old.unlink()
    auto: Any = AutoModelForCausalLM
    double: Any = auto.from_pretrained(
        str(model_dir), dtype="float64", local_files_only=True, disable_mmap=True
    )
    double.save_pretrained(str(folder))
    seal(folder)
    return Reference(folder)


# ------------------------------------------------------------------------ the decoder by itself


def _keep_nothing(sequence: Sequence, layers: Layers) -> None:
    del sequence, layers


class Play:
    """Random joins, leaves and cancellations on the real decoder."""

    def __init__(self, reference: Reference, seed: int, chunk: int) -> None:
        from inference.slot import Slots

        self.reference = reference
        self.random = random.Random(seed)
        if chunk not in reference.slots:
            reference.slots[chunk] = Slots(
                model=reference.model, stop_tokens=frozenset(), chunk=chunk, prefilled=_keep_nothing
            )
        self.slots = reference.slots[chunk]
        self.slots.clear()
        self.told: dict[Sequence, list[int]] = {}
        self.live: set[Sequence] = set()

    def join(self) -> None:
        """One to five at once."""
        for _ in range(self.random.randint(1, 5)):
            sequence = Sequence(
                id="x",
                prompt=self.random.choice(PROMPTS),
                max_tokens=self.random.randint(1, LONGEST),
                sampling=Sampling(temperature=0),
                sink=lambda event: None,
            )
            self.told[sequence] = []
            self.live.add(sequence)
            self.slots.begin(sequence)

    def step(self) -> None:
        """As the engine does: a chunk for those who wait, then a token for all."""
        for outcomes in self.slots.prefill():
            self._take(outcomes)
        if any(self.told[each] for each in self.live):
            self._take(self.slots.step())

    def _take(self, outcomes: list[tuple[Sequence, int | Exception]]) -> None:
        for sequence, token in outcomes:
            assert isinstance(token, int)
            self.told[sequence].append(token)
        done = {each for each in self.live if len(self.told[each]) >= each.max_tokens}
        self.slots.remove(done)
        self.live -= done

    def steps(self) -> None:
        """Some."""
        for _ in range(self.random.randint(1, 12)):
            self.step()

    def cancel(self) -> None:
        """Anyone, in the middle of the prompt too."""
        gone = {each for each in self.live if self.random.random() < 0.3}
        self.slots.remove(gone)
        self.live -= gone

    def check(self) -> None:
        """The rest runs to its end; cancelled ones were right as far as they came."""
        while self.live:
            self.step()
        for sequence, told in self.told.items():
            assert told == self.reference.tokens(sequence.prompt)[: len(told)]


@settings(max_examples=8, deadline=None)
@given(
    seed=st.integers(0, 2**16),
    chunk=st.sampled_from([7, 24, 512]),
    moves=st.lists(st.sampled_from([Play.join, Play.steps, Play.cancel]), min_size=1, max_size=6),
)
def test_in_any_batch_that_others_join_leave_and_are_thrown_out_of(
    reference: Reference, seed: int, chunk: int, moves: list[Callable[[Play], None]]
) -> None:
    play = Play(reference, seed, chunk)
    play.join()
    for move in moves:
        move(play)
    play.check()


# ------------------------------------------------------------------------------ the whole server


@dataclass(slots=True)
class Heard:
    """What one client heard."""

    prompt: list[int]
    tokens: list[int] = field(default_factory=list[int])
    finish: Finish | None = None
    cached: bool = False


async def _client(running: Running, rng: random.Random, digest: str) -> Heard:
    """Ask through cache and engine; some hang up half-way, all come at some time of their own."""
    parts = running.server.parts
    heard = Heard(prompt=rng.choice(PROMPTS))
    await asyncio.sleep(rng.random() * 0.3)
    pages = await parts.cache.find(heard.prompt, digest=digest)
    heard.cached = bool(pages)
    events: asyncio.Queue[Event] = asyncio.Queue()
    sequence = Sequence(
        id="x",
        prompt=heard.prompt,
        max_tokens=rng.randint(1, LONGEST),
        sampling=Sampling(temperature=0),
        sink=events.put_nowait,
        prefix=pages,
    )
    patience = rng.choice((LONGEST, LONGEST, rng.randint(1, 10)))
    parts.engine.submit(sequence)
    while heard.finish is None:
        event = await events.get()
        heard.finish = event.finish
        if event.token is not None:
            heard.tokens.append(event.token)
        if len(heard.tokens) == patience:
            parts.engine.cancel(sequence)
    return heard


@pytest.mark.parametrize("ram", [64.0, 0.0], ids=["cached in RAM", "cached on SSD"])
async def test_through_cache_and_engine_beside_clients_that_hang_up(
    start: Start, reference: Reference, tmp_path: Path, ram: float
) -> None:
    running = await start(
        model=reference.folder, cache_page_tokens=8, cache_ram_mb=ram, ssd_dir=tmp_path,
        ssd_low_gb=0.0, ssd_critical_gb=0.0, cache_read_timeout=10.0, prefill_chunk=24,
    )  # fmt: skip
    sealed = manifest.read(reference.folder)
    assert sealed is not None
    heard: list[Heard] = []
    for seed in range(3):
        async with asyncio.TaskGroup() as group:
            asked = [
                group.create_task(_client(running, random.Random(100 * seed + each), sealed.digest))
                for each in range(16)
            ]
        heard += [task.result() for task in asked]
    for each in heard:
        assert each.finish in (Finish.LENGTH, Finish.STOP, Finish.CANCELLED)
        assert each.tokens == reference.tokens(each.prompt)[: len(each.tokens)]
    assert sum(each.cached for each in heard) > 5
    assert sum(each.finish is Finish.CANCELLED for each in heard) > 5
    assert bool(running.server.parts.cache.stored().pages) is bool(ram)
