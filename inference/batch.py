"""Keys and values of all rows that decode together: one buffer a layer, grown in place.

Rows are padded on the left, so that the newest token of every row lies in the same column. Only the
columns from `low` to `high` are looked at; the `long` rows at the front may be looked at apart from
the others. It knows neither sequences nor models.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUntypedBaseClass=false
# torch and transformers ship types that strict checking cannot follow.

from collections.abc import Sequence
from typing import Any

import torch
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

from inference.apart import longest_apart
from inference.room import Room

Tensor = Any
Layers = list[tuple[Tensor, Tensor]]

_SMALL = 8192
"""Places, rows by columns, of buffers that are kept when the last row leaves."""


class Batch:
    """The rows; every method runs on the decode thread.

    `steady` buffers stay where they are while they fit, for a recording that knows their addresses;
    `made` counts how often they were made anew.
    """

    def __init__(self, *, room: Room, steady: bool = False) -> None:
        self.cache: Any = DynamicCache()
        self.made = 0
        self._room = room
        self._beside = 0
        self._steady = steady
        self._starts: list[int] = []
        self._open: Tensor = None
        self._first = self._last = 0
        self.low = self.high = 0
        self.long = 0
        self._parted = True

    @property
    def rows(self) -> int:
        """How many there are."""
        return len(self._starts)

    @property
    def starts(self) -> list[int]:
        """The column in which each row begins."""
        return self._starts

    def buffers(self) -> Layers:
        """All that is reserved: rows and columns in use, and those to come."""
        return [(layer.keys, layer.values) for layer in self.cache.layers]

    def layers(self) -> Layers:
        """What is held now, as tensors of [rows, heads, columns, size]."""
        return [layer.held(slice(0, self.rows)) for layer in self.cache.layers]

    def join(self, layers: Layers, lengths: Sequence[int]) -> None:
        """Add rows that were prefilled together, padded on the left to the longest of them."""
        width = int(layers[0][0].shape[-2])
        if not self.rows and not (self._steady and self.cache.layers):
            self.clear()
            self.cache.layers = [_Layer(self, keys, values) for keys, values in layers]
        self._fit(self.rows + len(lengths), width)
        place = slice(self.rows, self.rows + len(lengths))
        for layer, pair in zip(self.cache.layers, layers, strict=True):
            layer.write(place, self.high, pair)
        self._starts += [self.high - length for length in lengths]
        self._changed()

    def leave(self, rows: Sequence[int]) -> None:
        """Take rows out, the highest number first: the last row moves into each gap."""
        for row in rows:
            last = self._starts.pop()
            if row < self.rows:
                self._starts[row] = last
                for layer in self.cache.layers:
                    layer.move(self.rows, row)
        if self.rows:
            self._changed()
        elif self._steady and self.cache.layers and self._reserved() * self._columns() <= _SMALL:
            self.low = self.high = self.long = 0
            self._parted = True
        else:
            self.clear()

    def make_way(self, places: int) -> None:
        """For prompts that are on their way, so many places: give back what only waits for more."""
        self._beside = places
        if self._room.places is None or not 0 < self.rows < self._reserved():
            return
        if self._reserved() * self._columns() + places > self._room.places:
            self._resize(self.rows, self.high - self.low, exact=True)

    def part(self) -> list[tuple[int, int]]:
        """Bring rows that are looked at apart to the front; the pairs that changed places."""
        if self._parted:
            return []
        self._parted = True
        self.long = longest_apart([self.high - start for start in self._starts])
        longest = sorted(range(self.rows), key=self._starts.__getitem__)[: self.long]
        late = [row for row in longest if row >= self.long]
        early = sorted(set(range(self.long)).difference(longest))
        pairs = list(zip(early, late, strict=True))
        for one, other in pairs:
            low = min(self._starts[one], self._starts[other])
            for layer in self.cache.layers:
                layer.swap(one, other, low)
            self._starts[one], self._starts[other] = self._starts[other], self._starts[one]
        if pairs:
            self._tell_open()
        return pairs

    def clear(self) -> None:
        """Forget all, and give the memory back."""
        self.cache = DynamicCache()
        self._starts = []
        self.low = self.high = self.long = 0
        self._parted = True

    def show(self, first: int, last: int) -> Tensor:
        """Open these rows and a new column to the next forward; true where a row has a token.

        Until `advance` the new column may be written again and again.
        """
        if self.high == self._columns():
            self._resize(self.rows, self.high - self.low)
        self._first, self._last = first, last
        return self._open[first:last, self.low : self.high + 1]

    def opened_layers(self) -> list[Tensor]:
        """Keys and values, layer by layer, of the rows and columns that are open."""
        return [tensor for layer in self.cache.layers for tensor in layer.opened()]

    def parts(self) -> list[Tensor]:
        """The same of all rows, in each layer those of the long rows before those of the others."""
        low = min(self._starts[self.long :])
        places = (slice(0, self.long), self.low), (slice(self.long, self.rows), low)
        return [
            buffer[rows, :, start : self.high + 1]
            for layer in self.cache.layers
            for rows, start in places
            for buffer in (layer.keys, layer.values)
        ]

    def padded(self) -> bool:
        """Do some of the open rows begin later than the first column?"""
        return max(self._starts[self._first : self._last]) > self.low

    def advance(self) -> None:
        """Every row has its new token's keys and values."""
        self.high += 1

    def opened(self) -> tuple[slice, int, int]:
        """The rows that a forward sees, and its columns but the new one."""
        return slice(self._first, self._last), self.low, self.high

    def _reserved(self) -> int:
        return int(self.cache.layers[0].keys.shape[0])

    def _columns(self) -> int:
        return int(self.cache.layers[0].keys.shape[-2])

    def _fit(self, rows: int, width: int) -> None:
        reserved = self._reserved()
        if rows > reserved or width > self.high or self.high == self._columns():
            self._resize(rows, width, more=2 * reserved if rows > reserved else 0)

    def _resize(self, rows: int, width: int, *, more: int = 0, exact: bool = False) -> None:
        """Room for so many rows, for `more` if it can be, with `width` columns at least before the
        next one. Steady buffers in which they fit stay, unless it is to be `exact`.
        """
        held = self.high - self.low
        high = max(width, held)
        columns = self._room.columns(high)
        rows = max(rows, self._room.rows(more, columns, beside=self._beside))
        fits = rows <= self._reserved() and columns <= self._columns() <= 2 * columns
        stays = self._steady and fits and not exact
        self.made += not stays
        for layer in self.cache.layers:
            if stays:
                layer.shift(slice(0, self.rows), high)
            else:
                layer.resize(slice(0, self.rows), rows, high, columns)
        self._starts = [start - self.high + high for start in self._starts]
        self.high = high
        if self._starts:
            self._changed()

    def _changed(self) -> None:
        self.low = min(self._starts)
        self.long, self._parted = 0, False
        self._tell_open()

    def _tell_open(self) -> None:
        device = self.cache.layers[0].keys.device
        columns = torch.arange(self._columns(), device=device)
        self._open = columns >= torch.tensor(self._starts, device=device)[:, None]


class _Layer(DynamicLayer):  # type: ignore[misc] # transformers is untyped here
    """One layer's buffers; transformers' own way to store and read them while a forward runs."""

    keys: Tensor
    values: Tensor

    def __init__(self, batch: Batch, keys: Tensor, values: Tensor) -> None:
        super().__init__()
        self._batch = batch
        self.dtype, self.device = keys.dtype, keys.device
        self.keys, self.values = keys[:0, :, :0], values[:0, :, :0]
        self.is_initialized = True

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Put one more column there; all columns so far, without a copy."""
        del args, kwargs
        keys, values = self.opened()
        keys[:, :, -1:] = key_states
        values[:, :, -1:] = value_states
        return keys, values

    def opened(self) -> tuple[Tensor, Tensor]:
        """What the next forward sees, the new column included."""
        rows, low, high = self._batch.opened()
        return self.keys[rows, :, low : high + 1], self.values[rows, :, low : high + 1]

    def get_seq_length(self) -> int:
        """Columns that a forward sees, but the new one."""
        _, low, high = self._batch.opened()
        return high - low

    def held(self, rows: slice) -> tuple[Tensor, Tensor]:
        """What these rows hold."""
        low, high = self._batch.low, self._batch.high
        return self.keys[rows, :, low:high], self.values[rows, :, low:high]

    def write(self, rows: slice, high: int, pair: tuple[Tensor, Tensor]) -> None:
        """New rows that end at `high`; what lies left of them is finite, for 0 x NaN is NaN."""
        for buffer, new in zip((self.keys, self.values), pair, strict=True):
            low = high - new.shape[-2]
            buffer[rows, :, :low] = 0
            buffer[rows, :, low:high] = new

    def move(self, source: int, target: int) -> None:
        """One row into the place of another."""
        low, high = self._batch.low, self._batch.high
        for buffer in (self.keys, self.values):
            buffer[target, :, low:high] = buffer[source, :, low:high]

    def swap(self, one: int, other: int, low: int) -> None:
        """Two rows change places; neither begins before `low`."""
        columns = slice(low, self._batch.high)
        for buffer in (self.keys, self.values):
            held = buffer[one, :, columns].clone()
            buffer[one, :, columns] = buffer[other, :, columns]
            buffer[other, :, columns] = held

    def resize(self, rows: slice, room: int, high: int, columns: int) -> None:
        """Buffers of another size with the same content, now ending at `high`."""
        old = self.held(rows)
        heads, _, size = self.keys.shape[1:]
        self.keys = self.keys.new_zeros((room, heads, columns, size))
        self.values = self.values.new_zeros((room, self.values.shape[1], columns, old[1].shape[-1]))
        self._put(rows, high, old)

    def shift(self, rows: slice, high: int) -> None:
        """The same buffers and content, now ending at `high`, and nothing else in them."""
        old = tuple(each.clone() for each in self.held(rows))
        self.keys.zero_()
        self.values.zero_()
        self._put(rows, high, old)

    def _put(self, rows: slice, high: int, pair: tuple[Tensor, ...]) -> None:
        for buffer, held in zip((self.keys, self.values), pair, strict=True):
            buffer[rows, :, high - held.shape[-2] : high] = held
