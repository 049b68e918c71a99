"""TLS and client certificates: Alertmanager may prove itself by one, probes need none."""

import ipaddress
import ssl
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from healer.intake import tls
from healer.intake.auth import WebhookDoor
from healer.intake.server import application, listen
from tests.fakes.edge import edge as edge_of

DELIVERY: dict[str, object] = {"version": "4", "groupKey": "{}", "receiver": "healer", "alerts": []}
START = datetime(2025, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A certificate and its key, on disk; made by itself, so it is its own authority."""

    certificate: Path
    key: Path


def pair(folder: Path, name: str) -> Pair:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(START)
        .not_valid_after(START + timedelta(days=36500))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .sign(key, hashes.SHA256())
    )
    made = Pair(certificate=folder / f"{name}.crt", key=folder / f"{name}.key")
    made.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    made.key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return made


@dataclass(frozen=True, slots=True, kw_only=True)
class Secured:
    port: int
    server: Pair
    folder: Path

    def context(self, client: Pair | None = None) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self.server.certificate)
        if client is not None:
            context.load_cert_chain(client.certificate, client.key)
        return context


@pytest.fixture
async def secured(tmp_path: Path) -> AsyncGenerator[Secured]:
    server, client = pair(tmp_path, "server"), pair(tmp_path, "alertmanager")
    context = tls.context(
        certificate=server.certificate, key=server.key, client_authority=client.certificate
    )
    made = edge_of(door=WebhookDoor(certificates=True))
    async with listen(
        application(made), host="127.0.0.1", port=0, limits=made.limits, tls=context
    ) as port:
        yield Secured(port=port, server=server, folder=tmp_path)


async def ask(secured: Secured, method: str, path: str, client: Pair | None) -> int:
    url = f"https://127.0.0.1:{secured.port}{path}"
    async with (
        aiohttp.ClientSession() as http,
        http.request(method, url, json=DELIVERY, ssl=secured.context(client)) as response,
    ):
        return response.status


async def test_a_client_certificate_of_our_authority_passes(secured: Secured) -> None:
    client = Pair(
        certificate=secured.folder / "alertmanager.crt", key=secured.folder / "alertmanager.key"
    )
    assert await ask(secured, "POST", "/webhook/alertmanager", client) == 200


async def test_without_a_certificate_alerts_are_refused_and_probes_answered(
    secured: Secured,
) -> None:
    assert await ask(secured, "POST", "/webhook/alertmanager", None) == 401
    assert await ask(secured, "GET", "/healthz", None) == 200


async def test_a_certificate_of_another_authority_is_refused_in_the_handshake(
    secured: Secured,
) -> None:
    stranger = pair(secured.folder, "stranger")
    with pytest.raises(aiohttp.ClientError):
        await ask(secured, "POST", "/webhook/alertmanager", stranger)


async def test_plain_http_at_a_tls_door_is_not_answered(secured: Secured) -> None:
    async with aiohttp.ClientSession() as http:
        with pytest.raises(aiohttp.ClientError):
            await http.get(f"http://127.0.0.1:{secured.port}/healthz")


async def test_a_door_for_certificates_does_not_take_loopback_for_one() -> None:
    made = edge_of(door=WebhookDoor(certificates=True))
    async with (
        listen(application(made), host="127.0.0.1", port=0, limits=made.limits) as port,
        aiohttp.ClientSession() as http,
        http.post(f"http://127.0.0.1:{port}/webhook/alertmanager", json=DELIVERY) as response,
    ):
        assert response.status == 401
