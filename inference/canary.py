"""A question with a known answer, asked of every model after it is loaded.

Hashes prove the files; this proves what was made of them: no NaN, and the tokens of the seal.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false
# torch ships types that strict checking cannot follow.

from dataclasses import replace
from typing import Any

import torch

from inference.manifest import Canary

_PROMPT_TOKENS = 12
ANSWER_TOKENS = 16
# Other kernels round otherwise: a near tie may fall the other way, a wrong weight is far off.
_NEAR = 0.02


class CanaryError(Exception):
    """The model does not answer as it should; says how."""


def record(model: Any) -> Canary:
    """The answer of a model that is believed sound; CanaryError when it yields no numbers.

    It ends where judging it would part from it: token by token other kernels run than for the
    whole at once, and a model that is nearly undecided may fall the other way.
    """
    prompt = _prompt(int(model.config.vocab_size))
    tokens: list[int] = []
    for _ in range(ANSWER_TOKENS):
        logits = _logits(model, [*prompt, *tokens])[-1]
        tokens.append(int(logits.argmax()))
    answer = Canary(prompt=tuple(prompt), tokens=tuple(tokens))
    while parts := _parts(model, answer):  # what is shorter is judged by other kernels again
        answer = replace(answer, tokens=answer.tokens[: parts[0]])
    return answer


def judge(model: Any, canary: Canary | None) -> None:
    """Ask; without a recorded answer only finite numbers are demanded."""
    if canary is None:
        _logits(model, _prompt(int(model.config.vocab_size)))
        return
    parts = _parts(model, canary)
    if parts is not None:
        place, said = parts
        msg = f"canary: token {place + 1} is {said}, sealed was {canary.tokens[place]}"
        raise CanaryError(msg)


def _parts(model: Any, canary: Canary) -> tuple[int, int] | None:
    """Where the model parts from the recorded answer, and what it says there."""
    logits = _logits(model, [*canary.prompt, *canary.tokens])
    first = len(canary.prompt) - 1
    for place, token in enumerate(canary.tokens):
        row = logits[first + place]
        best = float(row.max())
        if best - float(row[token]) > _NEAR * (best - float(row.mean())):
            return place, int(row.argmax())
    return None


def _logits(model: Any, tokens: list[int]) -> Any:
    with torch.inference_mode():
        ids = torch.tensor([tokens], device=model.device)
        logits = model(input_ids=ids, use_cache=False).logits[0].float()
    if not bool(torch.isfinite(logits).all()):
        msg = "canary: the logits hold NaN or infinity"
        raise CanaryError(msg)
    return logits


def _prompt(vocabulary: int) -> list[int]:
    return [(place * 97 + 13) % vocabulary for place in range(_PROMPT_TOKENS)]
