"""The real model: whatever the company it decodes in, a sequence's tokens are those of generate."""

from collections.abc import Callable
from copy import copy
from pathlib import Path
from typing import Any

import pytest

from inference.batch import Layers
from inference.capture import Step
from inference.page import Page, pages_of
from inference.sampling import Sampler
from inference.sequence import Sampling, Sequence
from inference.slot import Outcomes, Slots
from inference.trace import Recording

pytestmark = pytest.mark.real


def _ignore(event: object) -> None:
    del event


def _keep_nothing(sequence: Sequence, layers: Layers) -> None:
    del sequence, layers


def _sequence(prompt: list[int], *, tokens: int, sampling: Sampling | None = None) -> Sequence:
    return Sequence(
        id="x",
        prompt=prompt,
        max_tokens=tokens,
        sampling=sampling or Sampling(temperature=0),
        sink=_ignore,
    )


def run_again(step: Step) -> tuple[Any, Step]:
    """Captures nothing: the same step over the same places, as a machine without a GPU can."""
    return step(), step


class Model:
    """The tiny model and what was kept of every prefilled prompt."""

    def __init__(self, folder: Path, *, captured: bool) -> None:
        from transformers import AutoModelForCausalLM

        from inference.capture import Captured
        from inference.model import load

        self.kept: list[Callable[[int], Page]] = []
        self.loaded = load(
            folder,
            digest="tiny",
            threads=1,
            chunk=24,
            page_tokens=8,
            keep=lambda _, pages: self.kept.append(pages),
        )
        self.slots: Slots = self.loaded.decoder
        if captured:
            self.slots = Slots(
                model=self.loaded.network,
                stop_tokens=self.slots.stop_tokens,
                chunk=24,
                prefilled=lambda _, layers: self.kept.append(pages_of(layers, 8)),
                made=Captured(self.loaded.network, run_again),
            )
        auto: Any = AutoModelForCausalLM
        self.reference: Any = auto.from_pretrained(
            str(folder), dtype="auto", local_files_only=True, disable_mmap=True
        )

    def prompts(self) -> list[list[int]]:
        texts = [
            "The disk is full",
            "A queue holds the requests that wait, and the cache holds the work done before. " * 3,
            "x",
            "Explain how a model predicts the next word from the words before it.",
            "one two three four five six seven eight nine ten " * 5,
        ]
        return [self.loaded.tokenizer.encode(text) for text in texts]

    def generate(self, prompt: list[int], tokens: int) -> list[int]:
        """The reference: transformers' own loop."""
        import torch

        ids = torch.tensor([prompt])
        whole = self.reference.generate(
            ids, attention_mask=torch.ones_like(ids), max_new_tokens=tokens, do_sample=False
        )
        return [int(token) for token in whole[0, len(prompt) :]]

    def start(self, sequence: Sequence) -> int:
        """Prefill to the first token."""
        return begun(self.slots, sequence)


def begun(slots: Slots, sequence: Sequence) -> int:
    """Prefill it, chunk by chunk, to the first token."""
    slots.begin(sequence)
    told: Outcomes = []
    while not told:
        for outcomes in slots.prefill():
            told += outcomes
    [(found, token)] = told
    assert found is sequence
    assert isinstance(token, int)
    return token


@pytest.fixture(scope="module", params=[False, True], ids=["recorded", "captured"])
def model(request: pytest.FixtureRequest, model_dir: Path) -> Model:
    return Model(model_dir, captured=request.param)


def _decode(model: Model, waiting: list[Sequence], *, every: int) -> dict[Sequence, list[int]]:
    """Run all, one more joining every few steps, each leaving when it is through."""
    out: dict[Sequence, list[int]] = {}
    running: set[Sequence] = set()
    steps = 0
    while waiting or running:
        if waiting and steps % every == 0:
            sequence = waiting.pop(0)
            out[sequence] = [model.start(sequence)]
            running.add(sequence)
        for sequence, token in model.slots.step():
            assert isinstance(token, int)
            out[sequence].append(token)
        done = {each for each in running if len(out[each]) >= each.max_tokens}
        model.slots.remove(done)
        running -= done
        steps += 1
    return out


def test_alone_greedy_output_is_that_of_generate(model: Model) -> None:
    for prompt in model.prompts():
        sequence = _sequence(prompt, tokens=24)
        assert _decode(model, [sequence], every=1)[sequence] == model.generate(prompt, 24)


@pytest.mark.parametrize("every", [1, 5])
def test_in_a_batch_that_others_join_and_leave_it_is_too(model: Model, every: int) -> None:
    lengths = (40, 9, 33, 17, 25)
    sequences = [
        _sequence(prompt, tokens=tokens)
        for prompt, tokens in zip(model.prompts(), lengths, strict=True)
    ]
    out = _decode(model, list(sequences), every=every)
    for sequence in sequences:
        assert out[sequence] == model.generate(sequence.prompt, sequence.max_tokens)


def test_beside_long_rows_that_are_looked_at_apart_it_is_too(model_dir: Path) -> None:
    model = Model(model_dir, captured=False)
    long = [[*model.loaded.tokenizer.encode("one two three four " * 60), at] for at in (7, 9)]
    prompts = [model.prompts()[0], long[0], *model.prompts()[2:], long[1]]
    sequences = [
        _sequence(prompt, tokens=tokens)
        for prompt, tokens in zip(prompts, (50, 12, 33, 40, 20, 30), strict=True)
    ]
    out = {each: [model.start(each)] for each in sequences}
    running, apart = set(sequences), set[int]()
    while running:
        for sequence, token in model.slots.step():
            assert isinstance(token, int)
            out[sequence].append(token)
        apart.add(model.slots.apart)
        done = {each for each in running if len(out[each]) >= each.max_tokens}
        model.slots.remove(done)
        running -= done
    assert apart == {0, 1, 2}
    for sequence in sequences:
        assert out[sequence] == model.generate(sequence.prompt, sequence.max_tokens)


def test_a_prompt_that_starts_from_cached_pages_gives_the_same_tokens(model: Model) -> None:
    prompt = model.prompts()[1]
    model.kept.clear()
    model.start(_sequence(prompt, tokens=1))
    pages = [model.kept[0](number) for number in range((len(prompt) - 1) // 8)]
    model.slots.clear()
    codec = model.loaded.codec
    sequence = _sequence(prompt, tokens=24)
    sequence.prefix = [codec.decode(codec.encode(page)) for page in pages]
    assert len(sequence.prefix) > 3
    assert _decode(model, [sequence], every=1)[sequence] == model.generate(prompt, 24)


def test_the_first_token_is_told_before_the_prompt_is_kept(model: Model) -> None:
    model.kept.clear()
    for prompt in model.prompts():
        model.slots.begin(_sequence(prompt, tokens=1))
    told: Outcomes = []
    while len(told) < len(model.prompts()):
        for outcomes in model.slots.prefill():
            assert len(model.kept) == len(told)
            told += outcomes
    assert len(model.kept) == len(told)
    model.slots.clear()


def test_a_prompt_that_cannot_be_kept_still_has_its_answer(
    model: Model, caplog: pytest.LogCaptureFixture
) -> None:
    def full(sequence: Sequence, layers: Layers) -> None:
        del sequence, layers
        msg = "CUDA error: out of memory"
        raise RuntimeError(msg)

    slots = Slots(model=model.reference, stop_tokens=frozenset(), chunk=512, prefilled=full)
    prompt = model.prompts()[0]
    first = begun(slots, _sequence(prompt, tokens=3))
    rest = [outcome for _ in range(2) for _, outcome in slots.step()]
    assert [first, *rest] == model.generate(prompt, 3)
    assert "A prompt cannot be kept" in caplog.text


def test_the_same_seed_gives_the_same_tokens_alone_and_in_a_batch(model: Model) -> None:
    prompts = model.prompts()
    sampling = Sampling(temperature=1.0, top_p=0.9, seed=7)
    alone = _sequence(prompts[0], tokens=16, sampling=sampling)
    first = _decode(model, [alone], every=1)[alone]
    again = _sequence(prompts[0], tokens=16, sampling=sampling)
    others = [_sequence(prompt, tokens=20) for prompt in prompts[1:]]
    assert _decode(model, [*others, again], every=1)[again] == first
    other = _sequence(prompts[0], tokens=16, sampling=Sampling(seed=8))
    assert _decode(model, [other], every=1)[other] != first


class Picky:
    """The model, but its forward raises when one of the tokens to decode is the poison."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.device = model.device
        self.config = copy(model.config)
        self.config.model_type = "picky"  # nobody knows it, so it is not recorded
        self.poison = -1

    def __call__(self, *, input_ids: Any, **rest: Any) -> Any:
        if bool((input_ids == self.poison).any()):
            msg = "CUDA error: device-side assert triggered"
            raise RuntimeError(msg)
        return self.model(input_ids=input_ids, **rest)


def test_when_the_shared_step_fails_only_the_culprit_does(model: Model) -> None:
    picky = Picky(model.reference)
    slots = Slots(model=picky, stop_tokens=frozenset(), chunk=512, prefilled=_keep_nothing)
    prompts = model.prompts()
    good = [_sequence(prompts[0], tokens=12), _sequence(prompts[1], tokens=12)]
    bad = _sequence(prompts[3], tokens=12)
    out: dict[Sequence, list[int]] = {}
    for sequence in (good[0], bad, good[1]):
        out[sequence] = [begun(slots, sequence)]
    picky.poison = out[bad][0]
    failed: list[Sequence] = []
    for _ in range(11):
        for sequence, outcome in slots.step():
            if isinstance(outcome, Exception):
                failed.append(sequence)
            else:
                out[sequence].append(outcome)
        slots.remove(set(failed))
        picky.poison = -1
    assert failed == [bad]
    for sequence in good:
        assert out[sequence] == model.generate(sequence.prompt, 12)


def test_a_recording_that_fails_makes_way_to_the_model_itself(
    model_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    asked: list[object] = []

    def broken(*given: object) -> Any:
        asked.append(given)
        msg = "The following operation failed in the TorchScript interpreter"
        raise RuntimeError(msg)

    recording = Recording(together=broken, apart=broken, prompts=broken)
    model = Model(model_dir, captured=False)
    slots = Slots(
        model=model.reference,
        stop_tokens=frozenset(),
        chunk=512,
        prefilled=_keep_nothing,
        made=recording,
    )
    prompt = model.prompts()[0]
    first = begun(slots, _sequence(prompt, tokens=9))
    rest = [outcome for _ in range(8) for _, outcome in slots.step()]
    assert [first, *rest] == model.generate(prompt, 9)
    assert len(asked) == 2, "prefill and step are tried once each, and then given up"
    assert "Recorded prefill given up" in caplog.text
    assert "Recorded step given up" in caplog.text


def test_a_nucleus_keeps_only_the_likeliest() -> None:
    import torch

    logits = torch.tensor([5.0, 4.9, -10.0, -10.0])
    sampler = Sampler(Sampling(top_p=0.9, seed=1), "cpu")
    assert {sampler.choose(logits) for _ in range(50)} == {0, 1}
    narrow = Sampler(Sampling(top_p=0.1, seed=1), "cpu")
    assert {narrow.choose(logits) for _ in range(20)} == {0}
