"""An authority that signs certificates for the lab's own front. Its key is in the cluster alone."""

import base64
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

from healer.lab.contract import Object

_LIFE = timedelta(days=3650)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A certificate and its key as PEM."""

    certificate: bytes
    key: bytes

    def secret(self, *, authority: bytes = b"") -> dict[str, str]:
        """As the data of a Secret of type kubernetes.io/tls."""
        parts = {"tls.crt": self.certificate, "tls.key": self.key, "ca.crt": authority}
        return {name: base64.b64encode(part).decode() for name, part in parts.items() if part}


def pair_of(secret: Object | None) -> Pair:
    """The pair in a Secret; ValueError where there is none that belongs together."""
    data: dict[str, str] = (secret or {}).get("data") or {}
    try:
        found = Pair(
            certificate=base64.b64decode(data["tls.crt"], validate=True),
            key=base64.b64decode(data["tls.key"], validate=True),
        )
        shown = x509.load_pem_x509_certificate(found.certificate).public_key()
        own = load_pem_private_key(found.key, password=None).public_key()
    except KeyError as error:
        message = f"the secret holds no {error.args[0]}"
        raise ValueError(message) from error
    if shown != own:
        message = "certificate and key do not belong together"
        raise ValueError(message)
    return found


def make_authority(name: str) -> Pair:
    """A new one, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.now(UTC)
    draft = _draft(name, key, issuer=name).not_valid_before(now - timedelta(minutes=5))
    draft = draft.not_valid_after(now + _LIFE).add_extension(
        x509.BasicConstraints(ca=True, path_length=0), critical=True
    )
    return _signed(draft, key, by=key)


def issue(authority: Pair, names: list[str], *, not_before: datetime, not_after: datetime) -> Pair:
    """A certificate of that authority for these hosts, with a key of its own."""
    signer = load_pem_private_key(authority.key, password=None)
    if not isinstance(signer, ec.EllipticCurvePrivateKey):
        message = "the authority's key is of a kind that the lab does not sign with"
        raise ValueError(message)
    issuer = x509.load_pem_x509_certificate(authority.certificate).subject
    key = ec.generate_private_key(ec.SECP256R1())
    draft = _draft(names[0], key, issuer=issuer).not_valid_before(not_before)
    draft = draft.not_valid_after(not_after).add_extension(
        x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False
    )
    return _signed(draft, key, by=signer)


def _draft(
    name: str, key: ec.EllipticCurvePrivateKey, *, issuer: str | x509.Name
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(_named(name))
        .issuer_name(issuer if isinstance(issuer, x509.Name) else _named(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
    )


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _signed(
    draft: x509.CertificateBuilder,
    key: ec.EllipticCurvePrivateKey,
    *,
    by: ec.EllipticCurvePrivateKey,
) -> Pair:
    signed = draft.sign(by, hashes.SHA256())
    return Pair(
        certificate=signed.public_bytes(Encoding.PEM),
        key=key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
    )
