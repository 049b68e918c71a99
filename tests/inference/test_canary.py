"""The canary on the real tiny model: sound weights pass, poisoned ones do not."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from inference import manifest as manifests

pytestmark = pytest.mark.real


@pytest.fixture
def weights(model_dir: Path) -> Any:
    from inference.model import weights

    return weights(model_dir)


def _sealed(model_dir: Path) -> manifests.Canary:
    found = manifests.read(model_dir)
    assert found is not None
    assert found.canary is not None
    return found.canary


def test_the_sealed_model_answers_as_it_was_sealed(model_dir: Path, weights: Any) -> None:
    from inference import canary

    canary.judge(weights, _sealed(model_dir))
    canary.judge(weights, None)
    assert canary.record(weights) == _sealed(model_dir)


@pytest.mark.parametrize("poison", [float("nan"), float("inf")])
def test_one_poisoned_number_is_found_even_without_a_recorded_answer(
    weights: Any, poison: float
) -> None:
    from inference import canary

    weights.model.norm.weight.data[3] = poison
    with pytest.raises(canary.CanaryError, match="NaN or infinity"):
        canary.judge(weights, None)
    with pytest.raises(canary.CanaryError, match="NaN or infinity"):
        canary.record(weights)


def test_weights_of_another_model_give_another_answer(model_dir: Path, weights: Any) -> None:
    from inference import canary

    weights.lm_head.weight.data.neg_()
    with pytest.raises(canary.CanaryError, match="sealed was"):
        canary.judge(weights, _sealed(model_dir))


class Wavering:
    """The model, but from one place on it says something else when more is asked of it at once.

    So do kernels that are chosen by the length: what they add up otherwise may turn a near tie.
    """

    def __init__(self, model: Any, *, place: int) -> None:
        self.model = model
        self.device = model.device
        self.config = model.config
        self.place = place

    def __call__(self, *, input_ids: Any, **rest: Any) -> Any:
        result = self.model(input_ids=input_ids, **rest)
        result.logits[:, self.place : input_ids.shape[-1] - 1].neg_()
        return result


def test_an_answer_is_recorded_as_far_as_it_can_be_judged(model_dir: Path, weights: Any) -> None:
    from inference import canary

    sealed = _sealed(model_dir)
    wavering = Wavering(weights, place=len(sealed.prompt) + 3)
    with pytest.raises(canary.CanaryError, match="token 5 is"):
        canary.judge(wavering, sealed)
    recorded = canary.record(wavering)
    assert recorded.tokens == sealed.tokens[:4]
    canary.judge(wavering, recorded)
    canary.judge(weights, recorded)
    weights.lm_head.weight.data.neg_()
    with pytest.raises(canary.CanaryError, match="token 1 is"):
        canary.judge(weights, recorded)


def test_sealing_tells_how_much_the_canary_proves(
    model_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from inference.__main__ import main
    from inference.seal import in_words

    folder = tmp_path / "model"
    shutil.copytree(model_dir, folder)
    assert main(["seal", str(folder)]) == 0
    assert ", and a canary of 16 tokens\n" in capsys.readouterr().out
    sealed = manifests.read(folder)
    assert sealed is not None
    assert sealed.canary is not None
    short = replace(sealed.canary, tokens=sealed.canary.tokens[:3])
    assert "but a canary of only 3 of 16 tokens" in in_words(replace(sealed, canary=short))
    assert "but a canary of only 0 of 16 tokens" in in_words(replace(sealed, canary=None))


def test_no_weight_lies_in_a_mapped_file(weights: Any) -> None:
    assert weights.device is not None
    maps = Path("/proc/self/maps").read_text(encoding="utf-8")
    assert "model-00001-of" not in maps
