"""Who is at the door: tokens, passwords, client certificates, loopback. Decides no more than that.

Secrets are kept as digests and compared in constant time, every one of them, every time.
"""

import base64
import binascii
import hmac
from collections.abc import Mapping, Sequence
from hashlib import sha256
from ipaddress import ip_address

from aiohttp import web

_LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})
_FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Real-IP")


class Keyring:
    """Secrets and the names of those who hold them."""

    def __init__(self, names: Mapping[str, str]) -> None:
        if not all(secret.strip() for secret in names):
            message = "a secret must not be empty"
            raise ValueError(message)
        self._names = tuple((_digest(secret), name) for secret, name in names.items())

    def __bool__(self) -> bool:
        return bool(self._names)

    def holder(self, secret: str) -> str | None:
        """The name behind `secret`; None for a secret nobody holds."""
        presented = _digest(secret)
        found: str | None = None
        for known, name in self._names:
            if hmac.compare_digest(known, presented):
                found = name
        return found


class WebhookDoor:
    """Alertmanager proves itself by bearer token, basic auth or client certificate.

    Where none of these is configured, only loopback may deliver: an alert makes healer act.
    """

    def __init__(
        self,
        *,
        tokens: Sequence[str] = (),
        passwords: Mapping[str, str] | None = None,
        certificates: bool = False,
    ) -> None:
        self._tokens = Keyring(dict.fromkeys(tokens, "alertmanager"))
        pairs = {f"{user}:{password}": user for user, password in (passwords or {}).items()}
        if not all(pair.partition(":")[2] for pair in pairs):
            message = "a password must not be empty"
            raise ValueError(message)
        self._passwords = Keyring(pairs)
        self._certificates = certificates

    def refusal(self, request: web.BaseRequest) -> str:
        """The empty text when it may pass, else the reason why not."""
        if not (self._tokens or self._passwords or self._certificates):
            return "" if local(request) else "no credential is configured: loopback only"
        if self._certificates and _certified(request):
            return ""
        scheme, content = credential(request)
        if scheme == "bearer" and self._tokens.holder(content) is not None:
            return ""
        if scheme == "basic" and self._passwords.holder(_decoded(content)) is not None:
            return ""
        return "the credential is wrong" if scheme else "a credential is missing"

    @property
    def challenges(self) -> tuple[str, ...]:
        """For WWW-Authenticate: what would be accepted."""
        offers = ((self._tokens, "Bearer"), (self._passwords, "Basic"))
        known = tuple(f'{scheme} realm="healer"' for ring, scheme in offers if ring)
        return known or ('Bearer realm="healer"',)


def credential(request: web.BaseRequest) -> tuple[str, str]:
    """Scheme in small letters and content of the Authorization header; empty without one."""
    scheme, _, content = request.headers.get("Authorization", "").strip().partition(" ")
    return scheme.lower(), content.strip()


def local(request: web.BaseRequest) -> bool:
    """Does it come from this machine, straight, by a local name (so no page of a browser lies)?"""
    transport = request.transport
    peer: object = transport.get_extra_info("peername") if transport else None
    if not isinstance(peer, tuple) or any(name in request.headers for name in _FORWARDED):
        return False
    host, _, port = request.headers.get("Host", "").rpartition(":")
    name = host if port.isdecimal() else request.headers.get("Host", "")
    return name.lower() in _LOCAL_NAMES and ip_address(str(peer[0])).is_loopback  # pyright: ignore[reportUnknownArgumentType, reportUnknownMemberType] - sockets are untyped


def _certified(request: web.BaseRequest) -> bool:
    """A certificate that is there was checked against our authority during the handshake."""
    transport = request.transport
    return bool(transport and transport.get_extra_info("peercert"))


def _decoded(content: str) -> str:
    try:
        return base64.b64decode(content, validate=True).decode()
    except (binascii.Error, ValueError):
        return ""


def _digest(secret: str) -> bytes:
    return sha256(secret.encode(errors="surrogateescape")).digest()
