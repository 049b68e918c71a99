"""Certificates for tests: an authority and what it signs, who keeps it, a server that shows it."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from healer.lab.authority import Pair, issue, make_authority
from tests.fakes.lab import NAMESPACE, Lab

AUTHORITY = make_authority("an authority")
HOST = "api.example.com"


def signed(*names: str, days: float = 90, since: float = 1) -> Pair:
    """A pair that has held for `since` days, and holds for `days` more."""
    now = datetime.now(UTC)
    return issue(
        AUTHORITY,
        list(names or (HOST,)),
        not_before=now - timedelta(days=since),
        not_after=now + timedelta(days=days),
    )


def store(lab: Lab, name: str, pair: Pair) -> None:
    """A Secret of the lab that holds a pair."""
    lab.create("secrets", name, type="kubernetes.io/tls", data=pair.secret())


def keep(lab: Lab, *, sound: bool = True, secret: str = "tls") -> None:
    """A Certificate that keeps a Secret, by an issuer that can sign or has lost its key."""
    authority = AUTHORITY.secret()
    lab.create("secrets", "ca", data=authority if sound else {"tls.crt": authority["tls.crt"]})
    lab.create("issuers", "ca", spec={"ca": {"secretName": "ca"}})
    spec = {
        "secretName": secret,
        "dnsNames": [HOST],
        "duration": "2160h",
        "renewBefore": "24h",
        "issuerRef": {"name": "ca", "kind": "Issuer", "group": "cert-manager.io"},
    }
    lab.create("certificates", "cert", spec=spec, status={"revision": 1})


def issuer_ready(lab: Lab, word: str) -> bool:
    """Has its controller said that?"""
    found = lab.store.get("issuers", NAMESPACE, "ca") or {}
    conditions = found.get("status", {}).get("conditions", [])
    return any(one["type"] == "Ready" and one["status"] == word for one in conditions)


@contextlib.asynccontextmanager
async def showing(pair: Pair, folder: Path, *, mute: bool = False) -> AsyncGenerator[str]:
    """A TLS server on loopback; a mute one accepts and says nothing. Its address."""
    (folder / "both.pem").write_bytes(pair.certificate + pair.key)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "both.pem")

    held: list[asyncio.StreamWriter] = []

    async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held.append(writer)
        if not mute:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=None if mute else context)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for writer in held:
            writer.close()
        await asyncio.sleep(0)  # transports close at the next turn of the loop
