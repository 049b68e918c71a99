"""The buffers: whatever joins, grows and leaves, every row keeps its own keys and values."""

import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.apart import longest_apart
from inference.batch import Batch, Layers
from inference.room import AHEAD, AHEAD_STEADY, Room

pytestmark = pytest.mark.real

LAYERS, HEADS, SIZE = 2, 2, 3


class Books:
    """A batch beside what it should hold: each row as a plain list of columns."""

    def __init__(self, seed: int, *, steady: bool = False, places: int | None = None) -> None:
        import torch

        self.torch: Any = torch
        self.room = Room(places=places, ahead=AHEAD_STEADY if steady else AHEAD)
        self.batch = Batch(room=self.room, steady=steady)
        self.rows: list[list[Any]] = []
        self.random = random.Random(seed)
        self.torch.manual_seed(seed)

    def join(self, lengths: list[int]) -> None:
        """Rows as a prefill leaves them: padded on the left, with anything finite there."""
        width = max(lengths)
        block = self.torch.randn(LAYERS, 2, len(lengths), HEADS, width, SIZE)
        layers: Layers = [(block[each, 0], block[each, 1]) for each in range(LAYERS)]
        self.batch.join(layers, lengths)
        for row, length in enumerate(lengths):
            self.rows.append([block[:, :, row, :, at] for at in range(width - length, width)])

    def step(self, *, twice: bool = False) -> None:
        """One column for all; the first try may be written over by a second."""
        if twice:
            self._write()
        new = self._write()
        self.batch.advance()
        for row, columns in enumerate(self.rows):
            columns.append(new[:, :, row, :, 0])

    def _write(self) -> Any:
        self.batch.show(0, len(self.rows))
        new = self.torch.randn(LAYERS, 2, len(self.rows), HEADS, 1, SIZE)
        for layer in range(LAYERS):
            self.batch.cache.update(new[layer, 0], new[layer, 1], layer)
        return new

    def leave(self, rows: list[int]) -> None:
        self.batch.leave(sorted(rows, reverse=True))
        for row in sorted(rows, reverse=True):
            last = self.rows.pop()
            if row < len(self.rows):
                self.rows[row] = last

    def part(self) -> None:
        """The longest rows to the front; each part then begins with its longest row."""
        for one, other in self.batch.part():
            self.rows[one], self.rows[other] = self.rows[other], self.rows[one]
        long, lengths = self.batch.long, [len(row) for row in self.rows]
        assert long == longest_apart(lengths)
        if not long:
            return
        self.batch.show(0, len(self.rows))
        parts = self.batch.parts()
        for layer in range(LAYERS):
            for part, rows in enumerate((slice(0, long), slice(long, None))):
                for which, tensor in enumerate(parts[4 * layer + 2 * part :][:2]):
                    assert tensor.shape[2] == max(lengths[rows]) + 1
                    for found, columns in zip(tensor, self.rows[rows], strict=True):
                        wanted = self.torch.stack([each[layer, which] for each in columns], dim=1)
                        assert self.torch.equal(found[:, -1 - len(columns) : -1], wanted)

    def check(self) -> None:
        """Every row's columns, its mask, and nothing that is no number anywhere."""
        assert self.batch.rows == len(self.rows)
        if not self.rows:
            return
        open_columns = self.batch.show(0, len(self.rows))
        assert open_columns.shape[1] == max(map(len, self.rows)) + 1
        for layer, (keys, values) in enumerate(self.batch.layers()):
            assert bool(keys.isfinite().all())
            assert bool(values.isfinite().all())
            for row, columns in enumerate(self.rows):
                assert int(open_columns[row].sum()) == len(columns) + 1
                for which, tensor in enumerate((keys, values)):
                    wanted = self.torch.stack([each[layer, which] for each in columns], dim=1)
                    assert self.torch.equal(tensor[row, :, -len(columns) :], wanted)
        for buffer in (each for pair in self.batch.buffers() for each in pair):
            assert not bool(buffer[:, :, self.batch.high + 1 :].any()), "left of a row before"


def _joins(books: Books) -> None:
    longest = books.random.choice([90, 700])
    books.join([books.random.randint(1, longest) for _ in range(books.random.randint(1, 4))])


def _parts(books: Books) -> None:
    books.part()


def _steps(books: Books) -> None:
    for _ in range(books.random.randint(1, 80) if books.rows else 0):
        books.step(twice=books.random.random() < 0.1)


def _leaves(books: Books) -> None:
    count = books.random.randint(0, len(books.rows))
    books.leave(books.random.sample(range(len(books.rows)), count))


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**16),
    steady=st.booleans(),
    moves=st.lists(st.sampled_from([_joins, _parts, _steps, _leaves]), min_size=1, max_size=12),
)
def test_every_row_keeps_its_own(
    seed: int, steady: bool, moves: list[Callable[[Books], None]]
) -> None:
    books = Books(seed, steady=steady)
    for move in moves:
        move(books)
        books.check()


@settings(max_examples=40, deadline=None)
@given(
    steady=st.booleans(),
    places=st.integers(4_000, 40_000),
    asked=st.lists(st.tuples(st.integers(1, 900), st.integers(1, 200), st.booleans()), max_size=25),
)
def test_who_fits_by_the_room_takes_no_more_of_it_than_there_is(
    steady: bool, places: int, asked: list[tuple[int, int, bool]]
) -> None:
    books = Books(0, steady=steady, places=places)
    final: list[int] = []
    for prompt, answer, leave in asked:
        longest = max([prompt + answer, *final])
        if not books.room.takes(len(final) + 1, longest):
            continue
        books.join([prompt])
        final.append(prompt + answer)
        for _ in range(min(each - len(row) for each, row in zip(final, books.rows, strict=True))):
            books.step()
            keys = books.batch.cache.layers[0].keys
            assert keys.shape[0] * keys.shape[2] <= places
        if leave:
            books.leave([0])
            final[0] = final[-1]
            final.pop()


@pytest.mark.parametrize("steady", [False, True])
def test_what_is_reserved_ahead_makes_way_for_prompts_that_are_on_their_way(steady: bool) -> None:
    books = Books(5, steady=steady, places=40_000)
    for _ in range(18):
        books.join([1500])
    books.leave(list(range(17)))
    keys = books.batch.cache.layers[0].keys
    assert keys.shape[0] * keys.shape[2] > 30_000, "they stay, for the next ones"
    prompts = 17 * 1500
    books.batch.make_way(prompts)
    for _ in range(17):
        keys = books.batch.cache.layers[0].keys
        assert keys.shape[0] * keys.shape[2] + prompts <= 40_000
        books.check()
        books.join([1500])
        prompts -= 1500
        books.batch.make_way(prompts)
    books.check()


@pytest.mark.parametrize("steady", [False, True])
def test_a_row_of_nan_leaves_nothing_behind_for_the_next_in_its_place(steady: bool) -> None:
    books = Books(1, steady=steady)
    books.join([40, 4])
    for layer in books.batch.cache.layers:
        for buffer in (layer.keys, layer.values):
            buffer[0, :, : books.batch.high] = float("nan")
    books.leave([0])
    books.join([3])
    books.check()


def test_long_rows_are_looked_at_apart_while_they_are_there() -> None:
    books = Books(4)
    books.join([20] * 6)
    books.join([700])
    books.part()
    books.check()
    assert (books.batch.long, len(books.rows[0])) == (1, 700)
    assert books.batch.part() == []
    books.leave([0])
    books.part()
    books.check()
    assert books.batch.long == 0


def test_memory_is_given_back_when_long_rows_leave_and_when_all_do() -> None:
    books = Books(2)
    books.join([1500])
    books.join([5] * 7)
    books.leave([0])
    for _ in range(500):
        books.step()
    books.check()
    held = books.batch.cache.layers[0].keys
    assert held.shape[0] * held.shape[2] < 4 * 7 * 505
    books.leave(list(range(7)))
    assert not books.batch.cache.layers


def test_steady_buffers_stay_where_they_are_while_they_fit() -> None:
    books = Books(3, steady=True)
    books.join([30])
    for _ in range(40):
        books.leave([0])
        books.join([30])
        for _ in range(20):
            books.step()
        books.check()
    assert books.batch.made == 1
    books.join([30] * 9)
    assert books.batch.made == 2
    books.check()
    books.join([1500] * 8)
    books.leave(list(range(18)))
    assert not books.batch.cache.layers, "large ones are given back"
