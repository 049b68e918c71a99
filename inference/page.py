"""One page of prompt: the keys and values of its tokens, and how it becomes a file and comes back.

The file is plain safetensors; a checksum in its header finds flipped bytes, for the format itself
does not.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false
# torch and safetensors ship types that strict checking cannot follow.

import json
import zlib
from collections.abc import Callable
from typing import Any

from safetensors.torch import load, save

# Keys and values of every layer, for the tokens of one page.
Page = list[tuple[Any, Any]]


class CorruptPageError(Exception):
    """A cache file whose content is not what was written."""


def pages_of(layers: Page, page_tokens: int) -> Callable[[int], Page]:
    """Gives the n-th page of a prefilled prompt, copied off the running cache when asked for."""

    def page(number: int) -> Page:
        start, end = number * page_tokens, (number + 1) * page_tokens
        flat = [each[..., start:end, :].detach() for pair in layers for each in pair]
        copies = _copied(flat)
        return list(zip(copies[::2], copies[1::2], strict=True))

    return page


def _copied(tensors: list[Any]) -> list[Any]:
    """In memory of their own; off a GPU in one go, for each of many copies would be waited for."""
    import torch

    if len({each.shape for each in tensors}) == 1:
        return list(torch.stack(tensors).to("cpu").unbind())
    return [each.to("cpu", copy=True).contiguous() for each in tensors]


class TensorCodec:
    """Pages to bytes and back."""

    def encode(self, page: Page) -> bytes:
        """The bytes of one cache file."""
        tensors: dict[str, Any] = {}
        for index, (keys, values) in enumerate(page):
            tensors[f"k{index:04d}"], tensors[f"v{index:04d}"] = keys, values
        return bytes(save(tensors, {"crc32": _checksum(tensors)}))

    def decode(self, data: bytes) -> Page:
        """The page in these bytes; CorruptPageError if they are not what was written."""
        try:
            length = int.from_bytes(data[:8], "little")
            stated = json.loads(data[8 : 8 + length])["__metadata__"]["crc32"]
            tensors: dict[str, Any] = load(data)
        except Exception as error:
            msg = f"cache file is unreadable: {error}"
            raise CorruptPageError(msg) from error
        if stated != _checksum(tensors):
            msg = "cache file fails its checksum"
            raise CorruptPageError(msg)
        count = len(tensors) // 2
        return [(tensors[f"k{index:04d}"], tensors[f"v{index:04d}"]) for index in range(count)]


def _checksum(tensors: dict[str, Any]) -> str:
    value = 0
    for name in sorted(tensors):
        value = zlib.crc32(_bytes_of(tensors[name]), value)
    return f"{value:08x}"


def _bytes_of(tensor: Any) -> Any:
    """The tensor's memory; through uint8, for numpy knows no bfloat16."""
    import torch

    return tensor.contiguous().flatten().view(torch.uint8).numpy().data
