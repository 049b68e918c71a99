"""A TLS front: shows the certificate of a mounted Secret, and follows the Secret as it changes.

Standard library only. It answers every request with 200: what is behind it is not looked at here.
"""

import argparse
import asyncio
import contextlib
import os
import ssl
from pathlib import Path

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n"
PATIENCE = 10.0


class Shown:
    """The certificate in force; read anew when its files have changed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen = -1
        self.context = self._read()

    def follow(self) -> ssl.SSLContext:
        """The one to show now. A pair that cannot be read changes nothing."""
        with contextlib.suppress(OSError, ssl.SSLError):
            if self._changed() != self._seen:
                self.context = self._read()
        return self.context

    def _changed(self) -> int:
        return (self._folder / "tls.crt").stat().st_ctime_ns

    def _read(self) -> ssl.SSLContext:
        seen = self._changed()
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self._folder / "tls.crt", self._folder / "tls.key")
        self._seen = seen
        return context


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One request, one answer."""
    with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
        async with asyncio.timeout(PATIENCE):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(ANSWER)
            await writer.drain()
    writer.close()


async def serve(folder: Path, host: str, port: int) -> None:
    """Until it is ended."""
    shown = Shown(folder)
    first = shown.context

    def choose(connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        connection.context = shown.follow()

    first.sni_callback = choose
    server = await asyncio.start_server(answer, host, port, ssl=first)
    print("serving", flush=True)  # noqa: T201 - a pod's log
    async with server:
        await server.serve_forever()


def main() -> None:
    """front --host H --port P --tls FOLDER [--pid FILE]."""
    parser = argparse.ArgumentParser(prog="front")
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--tls", type=Path, required=True)
    parser.add_argument("--pid", type=Path)
    given = parser.parse_args()
    if given.pid:
        given.pid.write_text(str(os.getpid()))
    asyncio.run(serve(given.tls, given.host, given.port))


if __name__ == "__main__":
    main()
