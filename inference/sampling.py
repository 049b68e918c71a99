"""Choosing the next token of one sequence from its logits, with a seed of its own."""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false
# torch ships types that strict checking cannot follow.

from typing import Any

import torch

from inference.sequence import Sampling


class Sampler:
    """Greedy, or temperature and nucleus; the same seed gives the same tokens in any batch."""

    def __init__(self, sampling: Sampling, device: Any) -> None:
        self.greedy = sampling.temperature == 0
        self._sampling = sampling
        if self.greedy:
            return
        self._generator: Any = torch.Generator(device=device)
        if sampling.seed is None:
            self._generator.seed()
        else:
            self._generator.manual_seed(sampling.seed)

    def choose(self, logits: Any) -> int:
        """The next token."""
        if self.greedy:
            return int(logits.argmax())
        shares = torch.softmax(logits.float() / self._sampling.temperature, dim=-1)
        if self._sampling.top_p < 1:
            shares = _nucleus(shares, self._sampling.top_p)
        return int(torch.multinomial(shares, 1, generator=self._generator))


def _nucleus(shares: Any, top_p: float) -> Any:
    """Keep the likeliest tokens that together reach top_p; always at least one."""
    ordered, index = shares.sort(descending=True)
    before = ordered.cumsum(dim=-1) - ordered
    ordered[before >= top_p] = 0
    return torch.zeros_like(shares).scatter(0, index, ordered)
