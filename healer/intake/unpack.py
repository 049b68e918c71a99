"""Content-Encoding, unpacked here and not by aiohttp: a refused body then costs nothing to skip."""

import zlib

ENCODINGS = ("gzip", "deflate")
_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS
_RAW = -zlib.MAX_WBITS
_GZIP = 0x1F
_METHOD = 8  # the low bits of a zlib stream's first octet


class UnpackError(ValueError):
    """The body is not what its encoding says."""


class Unpacker:
    """Octets in, octets out, never more at once than asked for. No encoding: as they are."""

    def __init__(self, encoding: str) -> None:
        name = encoding.strip().lower().removeprefix("x-")
        if name not in ("", "identity", *ENCODINGS):
            message = f"the encoding must be one of {', '.join(ENCODINGS)}, not {name[:40]!r}"
            raise UnpackError(message)
        packed = name in ENCODINGS
        self._stream = zlib.decompressobj(_GZIP_OR_ZLIB) if packed else None
        self._begun = False

    def feed(self, octets: bytes, *, most: int) -> bytes:
        """At most `most` + 1 octets: whoever gets that many has too many."""
        if self._stream is None or not octets:
            return octets
        if not self._begun and octets[0] & 0x0F != _METHOD and octets[0] != _GZIP:
            self._stream = zlib.decompressobj(_RAW)  # some say deflate and leave out the frame
        self._begun = True
        try:
            unpacked = self._stream.decompress(octets, most + 1)
        except zlib.error as error:
            message = f"it cannot be unpacked: {error}"
            raise UnpackError(message) from None
        if self._stream.unused_data:
            message = "something follows the packed content"
            raise UnpackError(message)
        return unpacked

    def finish(self) -> None:
        """All octets were fed; UnpackError where the packed content has no end."""
        if self._stream is not None and not self._stream.eof:
            message = "the packed content ends too early"
            raise UnpackError(message)
