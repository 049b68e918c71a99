"""Where weights go, before any is read; and a model of which a part stays on disk."""

from pathlib import Path
from typing import Any

import pytest
import torch

from inference import model as loading
from inference.plan import Plan, TooLargeError, plan, room_here
from inference.sequence import Event, Sampling, Sequence
from tests.inference.test_slot import begun

pytestmark = pytest.mark.real

MB = 1_000_000


def _ignore(event: Event) -> None:
    del event


def test_what_fits_goes_whole_to_the_fastest_device(model_dir: Path) -> None:
    whole = plan(model_dir, {"cpu": 100 * MB})
    assert whole.rest is not None
    assert 80 * MB < whole.rest < 95 * MB, "what weights and sums leave to keys and values"
    assert whole == Plan(folder=model_dir, device="cpu", rest=whole.rest)
    assert plan(model_dir, {0: 100 * MB, "cpu": 100 * MB}) == Plan(
        folder=model_dir, device="cuda:0", rest=whole.rest
    )


def test_what_fits_only_on_several_gpus_is_spread_over_them(model_dir: Path) -> None:
    found = plan(model_dir, {0: 6 * MB, 1: 8 * MB, "cpu": 100 * MB})
    assert found.map is not None
    assert set(found.map.values()) == {0, 1}


@pytest.mark.parametrize("room", [{"cpu": 4 * MB}, {0: 4 * MB, "cpu": 100 * MB}, {"cpu": 0}])
def test_what_does_not_fit_is_refused_with_the_figures(
    model_dir: Path, room: dict[int | str, int]
) -> None:
    with pytest.raises(TooLargeError, match=r"the weights need 0\.0\d+ GB and there is room for"):
        plan(model_dir, room)


def test_without_room_for_the_first_layer_even_a_folder_does_not_help(
    model_dir: Path, tmp_path: Path
) -> None:
    with pytest.raises(TooLargeError, match="first layer"):
        plan(model_dir, {"cpu": 1000}, offload=tmp_path)


def test_with_a_folder_it_survives_on_disk_and_answers_the_same(
    model_dir: Path, tmp_path: Path
) -> None:
    found = plan(model_dir, {"cpu": 5 * MB}, offload=tmp_path)
    assert found.map is not None
    assert set(found.map.values()) == {"cpu", "disk"}
    ids = torch.tensor([[5, 6, 7, 8]])
    answers: list[Any] = []
    for network in (loading.weights(model_dir), loading.weights(model_dir, found)):
        with torch.inference_mode():
            answers.append(network(input_ids=ids).logits)
    assert torch.equal(*answers)


def test_the_room_here_is_more_than_nothing_and_no_more_than_there_is() -> None:
    room = room_here(0.9)
    total = int(Path("/proc/meminfo").read_text().split()[1]) * 1024
    assert 0 < room["cpu"] <= total


def test_a_model_partly_on_disk_decodes_the_same_tokens(model_dir: Path, tmp_path: Path) -> None:
    loaded = loading.load(
        plan(model_dir, {"cpu": 5 * MB}, offload=tmp_path),
        digest="tiny",
        threads=1,
        chunk=24,
        page_tokens=8,
        keep=lambda _, pages: None,
    )
    whole = loading.weights(model_dir)
    prompt = [5, 6, 7, 8, 9]
    sequence = Sequence(
        id="x", prompt=prompt, max_tokens=8, sampling=Sampling(temperature=0), sink=_ignore
    )
    tokens = [begun(loaded.decoder, sequence)]
    for _ in range(7):
        ((_, token),) = loaded.decoder.step()
        assert isinstance(token, int)
        tokens.append(token)
    ids = torch.tensor([prompt])
    answer = whole.generate(
        ids, attention_mask=torch.ones_like(ids), max_new_tokens=8, do_sample=False
    )
    assert tokens == answer[0, len(prompt) :].tolist()
