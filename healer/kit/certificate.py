"""X.509 as far as it is looked at: how long it holds, by whom, for which names. No sockets here."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """What a certificate says of itself. Whether it may be trusted is not asked here."""

    not_before: datetime
    not_after: datetime
    subject: str
    issuer: str
    names: tuple[str, ...]
    fingerprint: str
    """SHA-256 of the whole, in hexadecimal."""

    def covers(self, name: str) -> bool:
        """Is it made out for that host? A `*` stands for one label, the first (RFC 6125)."""
        wanted = name.lower().rstrip(".")
        _, _, parent = wanted.partition(".")
        known = {one.lower() for one in self.names}
        return wanted in known or (bool(parent) and f"*.{parent}" in known)


def parse_der(der: bytes) -> Certificate:
    """A certificate as a handshake brings it; ValueError where it is none."""
    return _read(x509.load_der_x509_certificate(der))


def parse_pair(pem: bytes, key: bytes) -> Certificate:
    """The first certificate of a PEM text, which is the server's own, where the key is its own.

    ValueError where one of them cannot be read, or they do not belong together.
    """
    leaf = _leaf(pem)
    try:
        private = load_pem_private_key(key, password=None)
    except (TypeError, UnsupportedAlgorithm) as error:
        message = "the private key cannot be read: it is locked, or of an unknown kind"
        raise ValueError(message) from error
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if private.public_key().public_bytes(*form) != leaf.public_key().public_bytes(*form):
        message = "the private key is not that of the certificate"
        raise ValueError(message)
    return _read(leaf)


def _leaf(pem: bytes) -> x509.Certificate:
    return x509.load_pem_x509_certificates(pem)[0]


def _read(found: x509.Certificate) -> Certificate:
    return Certificate(
        not_before=found.not_valid_before_utc,
        not_after=found.not_valid_after_utc,
        subject=_common_name(found.subject),
        issuer=_common_name(found.issuer),
        names=_names(found),
        fingerprint=hashlib.sha256(found.public_bytes(Encoding.DER)).hexdigest(),
    )


def _common_name(name: x509.Name) -> str:
    found = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(found[0].value) if found else name.rfc4514_string()


def _names(found: x509.Certificate) -> tuple[str, ...]:
    try:
        names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    hosts: Sequence[str] = names.get_values_for_type(x509.DNSName)
    addresses = names.get_values_for_type(x509.IPAddress)
    return (*hosts, *(str(one) for one in addresses))
