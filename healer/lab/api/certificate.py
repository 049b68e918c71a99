"""A certificate of the lab's own, for loopback only: kubectl sends tokens over TLS alone."""

import ipaddress
import ssl
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_LIFE = timedelta(days=365)


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """What the server shows (`context`) and what clients trust (`pem`)."""

    context: ssl.SSLContext
    pem: bytes


def make_certificate(host: str = "127.0.0.1") -> Certificate:
    """A new self-signed certificate; its key stays in this process."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "healer lab")])
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address(host))]
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + _LIFE)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = signed.public_bytes(serialization.Encoding.PEM)
    secret = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return Certificate(context=_context(pem, secret), pem=pem)


def _context(pem: bytes, secret: bytes) -> ssl.SSLContext:
    """The ssl module reads keys from files only: one that is private and short-lived."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "both.pem")
        file.touch(mode=0o600)
        file.write_bytes(pem + secret)
        context.load_cert_chain(file)
    return context
