"""The captured decode step: when it is made anew, and that nothing unproved is used."""

from typing import Any

import pytest

from inference.batch import Batch
from inference.capture import Captured, Step, captured
from inference.room import AHEAD_STEADY, Room
from tests.inference.test_trace import tiny

pytestmark = pytest.mark.real


class Recorder:
    """Captures nothing but counts, and may spoil what comes out of the second run."""

    def __init__(self, *, spoil: float = 0.0) -> None:
        self.captured = 0
        self.spoil = spoil

    def __call__(self, step: Step) -> tuple[Any, Step]:
        """Run the step, and give a way to run it again."""
        self.captured += 1
        return step(), lambda: step() + self.spoil


def filled(rows: int, columns: int, batch: Batch | None = None) -> Batch:
    """A batch whose rows begin one after the other."""
    import torch

    batch = batch or Batch(room=Room(ahead=AHEAD_STEADY), steady=True)
    keys, values = torch.randn(2, rows, 2, columns, 8, generator=torch.Generator()).unbind()
    batch.join([(keys, values), (values, keys)], [columns - row for row in range(rows)])
    return batch


def ask(steps: Captured, batch: Batch) -> Any:
    """One step with tokens of no meaning."""
    batch.show(0, batch.rows)
    lengths = [batch.high - start for start in batch.starts]
    return steps(batch, list(range(1, batch.rows + 1)), lengths)


def plain(model: Any, batch: Batch) -> Any:
    """What the model itself says to the same."""
    import torch

    mask = batch.show(0, batch.rows)
    tokens = torch.arange(1, batch.rows + 1)[:, None]
    positions = torch.tensor([[batch.high - start] for start in batch.starts])
    with torch.inference_mode():
        result = model(
            input_ids=tokens,
            attention_mask=mask[:, None, None],
            position_ids=positions,
            past_key_values=batch.cache,
        )
    return result.logits[:, -1]


def test_it_gives_what_the_model_gives_whatever_lies_in_unused_places() -> None:
    import torch

    model, recorder = tiny("llama"), Recorder()
    steps, batch = Captured(model, recorder), filled(5, 20)
    for buffer in (each for pair in batch.buffers() for each in pair):
        buffer[5:] = 7.0
    for _ in range(10):
        torch.testing.assert_close(ask(steps, batch), plain(model, batch))
        batch.advance()
    assert recorder.captured == 1


def test_each_size_is_captured_once_and_all_again_when_the_buffers_move() -> None:
    recorder = Recorder()
    steps, batch = Captured(tiny("llama"), recorder), filled(16, 20)
    for rows in (16, 15, 9, 8, 6, 5, 4, 3, 2, 1):
        batch.leave(list(range(rows, batch.rows))[::-1])
        assert ask(steps, batch).shape == (rows, 50)
    assert recorder.captured == 5  # 16, 8, 4, 2, 1
    filled(20, 20, batch)
    ask(steps, batch)
    assert recorder.captured == 6


def test_a_capture_that_differs_is_never_used(caplog: pytest.LogCaptureFixture) -> None:
    recorder = Recorder(spoil=0.001)
    steps, batch = Captured(tiny("llama"), recorder), filled(2, 9)
    assert ask(steps, batch) is None
    assert ask(steps, batch) is None
    assert recorder.captured == 1
    assert "it differs by up to 0.001" in caplog.text


def test_a_model_that_cannot_be_captured_is_served_as_it_is(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken(step: Step) -> tuple[Any, Step]:
        del step
        msg = "operation not permitted when stream is capturing"
        raise RuntimeError(msg)

    assert ask(Captured(tiny("llama"), broken), filled(2, 9)) is None
    assert "not permitted" in caplog.text


def test_a_row_that_is_no_number_spoils_neither_the_proof_nor_the_others() -> None:
    model, recorder = tiny("llama"), Recorder()
    steps, batch = Captured(model, recorder), filled(3, 12)
    batch.buffers()[0][0][1] = float("nan")
    logits = ask(steps, batch)
    assert [bool(row.isfinite().all()) for row in logits] == [True, False, True]
    assert recorder.captured == 1


def test_without_a_gpu_nothing_is_captured() -> None:
    assert captured(tiny("llama")) is None
