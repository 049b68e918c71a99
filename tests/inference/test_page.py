"""Cache files: every page comes back bit by bit, and no damage goes unnoticed."""

from pathlib import Path

import pytest

from inference.page import CorruptPageError, TensorCodec

pytestmark = pytest.mark.real


@pytest.mark.parametrize("kind", ["float32", "bfloat16", "float16"])
def test_a_page_comes_back_as_it_was(kind: str) -> None:
    import torch

    keys = torch.randn(1, 2, 8, 4).to(getattr(torch, kind))
    codec = TensorCodec()
    (found,) = codec.decode(codec.encode([(keys, keys * 2)]))
    assert torch.equal(found[0], keys)
    assert torch.equal(found[1], keys * 2)


def test_a_flipped_byte_and_a_cut_file_are_found(tmp_path: Path) -> None:
    import torch

    codec = TensorCodec()
    data = bytearray(codec.encode([(torch.ones(1, 1, 4, 4), torch.zeros(1, 1, 4, 4))]))
    with pytest.raises(CorruptPageError):
        codec.decode(bytes(data[:-5]))
    with pytest.raises(CorruptPageError):
        codec.decode(b"")
    data[-3] ^= 0x40
    with pytest.raises(CorruptPageError, match="checksum"):
        codec.decode(bytes(data))
