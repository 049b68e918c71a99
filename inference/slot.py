"""Dense slots: one padded batch over plain `model.forward`. The engine's sums."""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false
# pyright: reportUnknownLambdaType=false
# torch and transformers ship types that strict checking cannot follow.

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import isfinite
from typing import Any

import torch

from inference.batch import Batch, Layers
from inference.capture import Captured, captured
from inference.prefill import Group, Prefill
from inference.room import Room
from inference.sampling import Sampler
from inference.sequence import Sequence
from inference.trace import Recording, recorded

log = logging.getLogger("inference.slot")

Tensor = Any
Outcomes = list[tuple[Sequence, int | Exception]]

_NO_NUMBERS = "the logits hold NaN or infinity"
_UNBOUNDED = Room()


@dataclass(slots=True, kw_only=True, eq=False)
class _Row:
    sequence: Sequence
    sampler: Sampler
    length: int
    token: int = 0


class Slots:
    """The decoder that the engine drives; every method runs on the decode thread.

    `made` stands for the graphs that are otherwise made of the model where it allows it.
    """

    def __init__(
        self,
        *,
        model: Any,
        stop_tokens: frozenset[int],
        chunk: int,
        prefilled: Callable[[Sequence, Layers], None],
        room: Room = _UNBOUNDED,
        made: Captured | Recording | None = None,
    ) -> None:
        self.stop_tokens = stop_tokens
        self._model = model
        self._device = model.device
        self._prefilled = prefilled
        self._fresh: list[tuple[Sequence, Layers]] = []
        self._rows: list[_Row] = []
        self._steps = made if isinstance(made, Captured) else captured(model)
        self._batch = Batch(room=room, steady=self._steps is not None)
        self._mask = _mask_for(model)
        self._recording = made if isinstance(made, Recording) else recorded(model)
        prompts = None if self._recording is None else self._recording.prompts
        self._prompts = Prefill(model=model, chunk=chunk, recorded=prompts)

    @property
    def apart(self) -> int:
        """How many long rows the last step looked at apart from the others."""
        return self._batch.long

    def begin(self, sequence: Sequence) -> None:
        """Start from the cached prefix where there is one."""
        self._prompts.begin(sequence)

    def prefill(self) -> Iterator[Outcomes]:
        """One chunk for all that wait, some at a time; those through have their first token."""
        self._batch.make_way(self._prompts.tokens)
        for group in self._prompts.groups():
            yield from self._through(group)
            self._keep()

    def step(self) -> Outcomes:
        """One token for every row; a row that fails fails alone."""
        if self._recording is not None:
            for one, other in self._batch.part():
                self._rows[one], self._rows[other] = self._rows[other], self._rows[one]
        rows = self._rows
        try:
            logits = self._forward(0, len(rows))
        except Exception as error:  # noqa: BLE001 - the rows are tried one by one below
            outcomes = [error] if len(rows) == 1 else self._step_alone()
        else:
            outcomes = self._choose(rows, logits)
        self._batch.advance()
        for row in rows:
            row.length += 1
        return [(row.sequence, each) for row, each in zip(rows, outcomes, strict=True)]

    def remove(self, sequences: set[Sequence]) -> None:
        """Forget sequences, wherever they are."""
        for sequence in sequences:
            self._prompts.forget(sequence)
        gone = [index for index, row in enumerate(self._rows) if row.sequence in sequences]
        for index in reversed(gone):
            last = self._rows.pop()
            if index < len(self._rows):
                self._rows[index] = last
        if gone:
            self._batch.leave(gone[::-1])

    def clear(self) -> None:
        """Start anew."""
        self._prompts.clear()
        self._fresh.clear()
        self._rows = []
        self._batch.clear()

    def _through(self, group: Group) -> Iterator[Outcomes]:
        """One chunk for a group; where they cannot go together, one by one."""
        outcomes: Outcomes = []
        try:
            result = self._prompts.run(group)
            if result is not None:
                outcomes = self._joined(group, *result)
        except Exception as error:
            if len(group) == 1:  # it fails alone
                self._prompts.forget(group[0])
                outcomes = [(group[0], error)]
            else:
                log.debug("prompts fail together", exc_info=True)
                for sequence in group:
                    yield from self._through([sequence])
                return
        yield outcomes

    def _keep(self) -> None:
        """Hand on what was prefilled. Only now, for nobody should wait for a copy of a prompt."""
        fresh, self._fresh = self._fresh, []
        for sequence, layers in fresh:
            try:
                self._prefilled(sequence, layers)
            except Exception:  # the answer goes on; only the next one like it starts from nothing
                log.exception("A prompt cannot be kept", extra={"event": "prompt_not_kept"})

    def _joined(self, group: list[Sequence], logits: Tensor, layers: Layers) -> Outcomes:
        """First tokens; rows that have one decode from now on."""
        rows = [
            _Row(
                sequence=each,
                sampler=Sampler(each.sampling, self._device),
                length=len(each.prompt),
            )
            for each in group
        ]
        outcomes = self._choose(rows, logits)
        good = [i for i, outcome in enumerate(outcomes) if not isinstance(outcome, Exception)]
        for index in good:
            start = layers[0][0].shape[-2] - rows[index].length
            row = slice(index, index + 1)
            own = [(keys[row, :, start:], values[row, :, start:]) for keys, values in layers]
            self._fresh.append((group[index], own))
        if good:
            if len(good) < len(rows):
                layers = [(keys[good], values[good]) for keys, values in layers]
            self._batch.join(layers, [rows[index].length for index in good])
            self._rows += [rows[index] for index in good]
        for sequence in group:
            self._prompts.forget(sequence)
        self._batch.make_way(self._prompts.tokens)
        return list(zip(group, outcomes, strict=True))

    def _forward(self, first: int, last: int) -> Tensor:
        """Logits of the next token of these rows; what the batch held before stays as it was."""
        rows = self._rows[first:last]
        mask = self._batch.show(first, last)
        if self._steps is not None and len(rows) == len(self._rows):
            logits = self._steps(
                self._batch, [row.token for row in rows], [row.length for row in rows]
            )
            if logits is not None:
                return logits
        tokens = torch.tensor([row.token for row in rows], device=self._device)[:, None]
        positions = torch.tensor([row.length for row in rows], device=self._device)[:, None]
        with torch.inference_mode():
            found = self._recorded(tokens, positions, mask)
            if found is not None:
                return found
            result = self._model(
                input_ids=tokens,
                attention_mask=self._mask(mask) if self._batch.padded() else None,
                position_ids=positions,
                past_key_values=self._batch.cache,
                use_cache=True,
                logits_to_keep=1,
            )
        if self._recording is not None:  # it has failed, and the model itself does not
            log.warning("Recorded step given up", extra={"event": "recording_given_up"})
            self._recording = None
        return result.logits[:, -1]

    def _recorded(self, tokens: Tensor, positions: Tensor, mask: Tensor) -> Tensor | None:
        """The same by the recording; None where there is none, or it fails.

        Then the model itself is asked. It fails as well, and says it in its own words; or it does
        not, and the recording is given up.
        """
        if self._recording is None:
            return None
        given, whole = (tokens, positions, mask[:, None, None]), len(tokens) == len(self._rows)
        try:
            if self._batch.long and whole:
                return self._recording.apart(*given, *self._batch.parts())
            return self._recording.together(*given, *self._batch.opened_layers())
        except Exception:
            log.debug("a recorded step fails", exc_info=True)
            return None

    def _choose(self, rows: list[_Row], logits: Tensor) -> list[int | Exception]:
        # The largest is NaN where any is, so looking for it costs nothing more.
        best = logits.max(dim=-1)
        greedy, largest = best.indices.tolist(), best.values.tolist()
        outcomes: list[int | Exception] = []
        for index, row in enumerate(rows):
            if not isfinite(largest[index]):
                outcomes.append(FloatingPointError(_NO_NUMBERS))
                continue
            try:
                row.token = (
                    greedy[index] if row.sampler.greedy else row.sampler.choose(logits[index])
                )
            except Exception as error:  # noqa: BLE001 - one row's sampling fails that row only
                outcomes.append(error)
            else:
                outcomes.append(row.token)
        return outcomes

    def _step_alone(self) -> list[int | Exception]:
        """The batch failed: run each row by itself, so that only the culprit fails."""
        outcomes: list[int | Exception] = []
        for index, row in enumerate(self._rows):
            try:
                logits = self._forward(index, index + 1)
                outcomes += self._choose([row], logits)
            except Exception as error:  # noqa: BLE001 - reported as this row's outcome
                outcomes.append(error)
        return outcomes


def _mask_for(model: Any) -> Callable[[Tensor], Tensor]:
    """Open columns as this model's forward wants them told.

    A mask that is ready made spares every step the making of it; but layers that look at a window
    only need masks of their own, which transformers makes of the plain one.
    """
    config = model.config.get_text_config(decoder=True)
    kinds = set(getattr(config, "layer_types", None) or ["full_attention"])
    plain = kinds == {"full_attention"} and not getattr(config, "sliding_window", None)
    if plain and config._attn_implementation == "sdpa":  # noqa: SLF001 - nothing else tells
        return lambda mask: mask[:, None, None, :]
    return lambda mask: mask.long()
