"""Certificates as far as they are looked at."""

from datetime import UTC, datetime, timedelta

import pytest

from healer.kit.certificate import Certificate, parse_pair
from tests.fakes.sealed import signed


def made(*names: str) -> Certificate:
    now = datetime.now(UTC)
    return Certificate(
        not_before=now, not_after=now, subject="", issuer="", names=names, fingerprint=""
    )


def test_a_pair_tells_for_whom_by_whom_and_how_long() -> None:
    pair = signed("api.example.com", "www.example.com", days=5)

    found = parse_pair(pair.certificate, pair.key)

    assert found.names == ("api.example.com", "www.example.com")
    assert (found.subject, found.issuer) == ("api.example.com", "an authority")
    left = found.not_after - datetime.now(UTC)
    assert timedelta(days=4, hours=23) < left <= timedelta(days=5)
    assert len(found.fingerprint) == 64


def test_the_first_of_a_chain_is_the_server_s_own() -> None:
    pair, other = signed("first.example.com"), signed("second.example.com")

    found = parse_pair(pair.certificate + other.certificate, pair.key)

    assert found.names == ("first.example.com",)


def test_a_key_of_another_is_no_pair() -> None:
    with pytest.raises(ValueError, match="not that of the certificate"):
        parse_pair(signed().certificate, signed().key)


@pytest.mark.parametrize("pem", [b"", b"nonsense", b"-----BEGIN CERTIFICATE-----\nAAAA\n"])
def test_what_is_no_certificate_is_refused(pem: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the words are the library's
        parse_pair(pem, signed().key)


@pytest.mark.parametrize(
    ("names", "host", "covered"),
    [
        (("api.example.com",), "API.example.com.", True),
        (("*.example.com",), "api.example.com", True),
        (("*.example.com",), "example.com", False),
        (("*.example.com",), "a.b.example.com", False),
        (("*.com",), "api.example.com", False),
        ((), "api.example.com", False),
        (("127.0.0.1",), "127.0.0.1", True),
    ],
)
def test_a_name_is_covered_as_browsers_see_it(
    names: tuple[str, ...], host: str, *, covered: bool
) -> None:
    assert made(*names).covers(host) is covered
