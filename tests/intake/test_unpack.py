"""Packed bodies: what comes out is what went in, within bounds, or a reason."""

import gzip
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healer.intake.unpack import Unpacker, UnpackError


def raw(content: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(content) + packer.flush()


PACKED: list[tuple[str, Callable[[bytes], bytes]]] = [
    ("", bytes),
    ("identity", bytes),
    ("gzip", gzip.compress),
    ("X-GZIP", gzip.compress),
    ("deflate", zlib.compress),
    ("deflate", raw),
]


@given(st.binary(max_size=3000), st.integers(1, 200), st.sampled_from(PACKED))
def test_what_went_in_comes_out_however_it_is_cut(
    content: bytes, size: int, how: tuple[str, Callable[[bytes], bytes]]
) -> None:
    encoding, pack = how
    packed = pack(content)
    unpacker = Unpacker(encoding)
    pieces = [packed[start : start + size] for start in range(0, len(packed), size)]
    assert b"".join(unpacker.feed(piece, most=10_000) for piece in pieces) == content
    unpacker.finish()


@given(st.binary(max_size=200), st.sampled_from(["gzip", "deflate"]))
def test_any_octets_are_unpacked_or_refused(content: bytes, encoding: str) -> None:
    unpacker = Unpacker(encoding)
    try:
        assert len(unpacker.feed(content, most=100)) <= 101
        unpacker.finish()
    except UnpackError as error:
        assert str(error)  # noqa: PT017 - either is right, and a refusal has words


def test_a_bomb_gives_no_more_than_asked_for() -> None:
    assert len(Unpacker("gzip").feed(gzip.compress(bytes(10_000_000)), most=500)) == 501


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (gzip.compress(b"x")[:-4], "ends too early"),
        (b"", "ends too early"),
        (gzip.compress(b"x") * 2, "something follows"),
        (b"\x1f\x8bnonsense", "cannot be unpacked"),
    ],
    ids=["cut off", "empty", "two after another", "nonsense"],  # a packed body holds the time
)
def test_what_is_not_packed_rightly_is_refused(content: bytes, words: str) -> None:
    unpacker = Unpacker("gzip")
    with pytest.raises(UnpackError, match=words):  # noqa: PT012 - either of the two may notice
        unpacker.feed(content, most=100)
        unpacker.finish()


def test_an_unknown_encoding_is_refused_and_the_known_ones_named() -> None:
    with pytest.raises(UnpackError, match="gzip, deflate, not 'br'"):
        Unpacker("br")
