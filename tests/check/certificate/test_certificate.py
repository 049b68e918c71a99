"""What a server shows, who keeps it, and what could replace it: seen for real, on loopback."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from healer.check.certificate.handshake import Handshake, HandshakeParams
from healer.check.certificate.keeper import Keeper, KeeperParams
from healer.check.certificate.secret import TlsSecret, TlsSecretParams
from healer.check.contract import CheckContext
from healer.errors import PermanentError, RejectedError, UnavailableError
from healer.kit.clock import SystemClock
from tests.fakes.lab import NAMESPACE, Lab, running_lab, service
from tests.fakes.sealed import HOST, issuer_ready, keep, showing, signed, store

CLOCK = SystemClock()
KEEPER = KeeperParams(secret="tls")
SOURCE = TlsSecretParams(secret="next", covers=HOST)


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Lab]:
    async with running_lab(tmp_path) as running:
        yield running


@pytest.fixture
def ctx() -> CheckContext:
    return CheckContext(id="asked", service=service(), target=service().workload)


# ---------------------------------------------------------------------------------------- handshake


async def test_a_handshake_tells_what_the_server_really_shows(
    tmp_path: Path, ctx: CheckContext
) -> None:
    async with showing(signed(days=5), tmp_path) as address:
        found = await Handshake(CLOCK).look(HandshakeParams(address=address, name=HOST), ctx)

    assert found.holds
    assert 4.9 < float(str(found.evidence["days_left"])) < 5
    assert found.evidence["issuer"] == "an authority"
    assert found.evidence["names"] == [HOST]
    assert "5.0 days" in found.summary


async def test_an_expired_certificate_is_still_looked_at(tmp_path: Path, ctx: CheckContext) -> None:
    async with showing(signed(days=-1, since=9), tmp_path) as address:
        found = await Handshake(CLOCK).look(HandshakeParams(address=address, name=HOST), ctx)

    assert found.known
    assert not found.holds
    assert float(str(found.evidence["days_left"])) < -0.9


async def test_a_certificate_of_another_host_is_said_to_be_one(
    tmp_path: Path, ctx: CheckContext
) -> None:
    async with showing(signed("other.example.com"), tmp_path) as address:
        found = await Handshake(CLOCK).look(HandshakeParams(address=address, name=HOST), ctx)

    assert not found.holds
    assert found.evidence["covers"] is False
    assert f"is not made out for {HOST}" in found.summary


async def test_a_server_that_says_nothing_is_waited_for_so_long_and_no_longer(
    tmp_path: Path, ctx: CheckContext
) -> None:
    async with showing(signed(), tmp_path, mute=True) as address:
        params = HandshakeParams(address=address, timeout=timedelta(seconds=0.1))
        with pytest.raises(UnavailableError, match=r"not through within 0\.1 s"):
            await Handshake(CLOCK).look(params, ctx)


async def test_nobody_there_is_no_answer(tmp_path: Path, ctx: CheckContext) -> None:
    async with showing(signed(), tmp_path) as address:
        pass
    with pytest.raises(UnavailableError, match=r"TLS handshake with 127\.0\.0\.1"):
        await Handshake(CLOCK).look(HandshakeParams(address=address), ctx)


@pytest.mark.parametrize("address", ["", "host", "host:", "host:port", "https://host:443", "a b:1"])
def test_an_address_is_a_host_and_a_port(address: str) -> None:
    with pytest.raises(ValidationError):
        HandshakeParams(address=address)


# ------------------------------------------------------------------------------------------- keeper


async def test_its_own_rights_are_enough_to_see_who_keeps_a_secret(
    lab: Lab, ctx: CheckContext
) -> None:
    keep(lab)
    await lab.until(lambda: issuer_ready(lab, "True"))
    check = Keeper(lab.healer)
    lab.grant(check.permissions(KEEPER, namespace=NAMESPACE))

    found = await check.look(KEEPER, ctx)

    assert found.holds
    assert found.evidence["kept"] is True
    assert found.evidence["name"] == "cert"
    assert found.summary == "certificate cert keeps it, by Issuer ca, which is ready"


async def test_an_issuer_that_cannot_sign_is_told_with_its_reason(
    lab: Lab, ctx: CheckContext
) -> None:
    keep(lab, sound=False)
    await lab.until(lambda: issuer_ready(lab, "False"))

    found = await Keeper(lab.admin).look(KEEPER, ctx)

    assert not found.holds
    assert (found.evidence["kept"], found.evidence["issuer_ready"]) == (True, False)
    assert "cannot sign: Error getting keypair for CA issuer" in found.summary


@pytest.mark.parametrize(
    ("ref", "why"),
    [
        ({"name": "gone"}, "there is no Issuer gone"),
        ({"name": "x", "group": "awspca.example"}, "its issuer is of awspca.example"),
    ],
)
async def test_an_issuer_that_is_not_known_cannot_sign(
    lab: Lab, ctx: CheckContext, ref: dict[str, str], why: str
) -> None:
    keep(lab)
    lab.change("certificates", "cert", lambda one: one["spec"].update(issuerRef=ref))

    found = await Keeper(lab.admin).look(KEEPER, ctx)

    assert found.evidence["issuer_ready"] is False
    assert why in found.summary


async def test_a_secret_that_nobody_keeps_is_manual(lab: Lab, ctx: CheckContext) -> None:
    keep(lab, secret="other")

    found = await Keeper(lab.admin).look(KEEPER, ctx)

    assert found.known
    assert found.evidence["kept"] is False


async def test_without_the_right_to_look_it_is_not_taken_for_manual(
    lab: Lab, ctx: CheckContext
) -> None:
    with pytest.raises(RejectedError) as caught:
        await Keeper(lab.healer).look(KEEPER, ctx)

    assert caught.value.reason == "Forbidden"


async def test_two_that_keep_one_secret_are_a_fault(lab: Lab, ctx: CheckContext) -> None:
    keep(lab)
    lab.create("certificates", "twin", spec=lab.get("certificates", "cert")["spec"])

    with pytest.raises(PermanentError, match="several certificates keep secret"):
        await Keeper(lab.admin).look(KEEPER, ctx)


# ------------------------------------------------------------------------------------------- source


async def test_its_own_rights_are_enough_to_see_that_a_sound_one_lies_ready(
    lab: Lab, ctx: CheckContext
) -> None:
    store(lab, "next", signed(days=90))
    check = TlsSecret(lab.healer, clock=CLOCK)
    lab.grant(check.permissions(SOURCE, namespace=NAMESPACE))

    found = await check.look(SOURCE, ctx)

    assert found.holds
    assert found.evidence["sound"] is True
    assert "BEGIN" not in str(found)


@pytest.mark.parametrize(
    ("pair", "why"),
    [
        (signed(days=6), "it holds only until"),
        (signed(days=90, since=-1), "it holds only from"),
        (signed("other.example.com"), f"it is not made out for {HOST}"),
    ],
)
async def test_one_that_would_not_do_is_not_sound(
    lab: Lab, ctx: CheckContext, pair: Any, why: str
) -> None:
    store(lab, "next", pair)

    found = await TlsSecret(lab.admin, clock=CLOCK).look(SOURCE, ctx)

    assert not found.holds
    assert (found.evidence["present"], found.evidence["sound"]) == (True, False)
    assert why in str(found.evidence["why"])


async def test_a_key_of_another_and_an_empty_secret_are_not_sound(
    lab: Lab, ctx: CheckContext
) -> None:
    mixed = {**signed().secret(), "tls.key": signed().secret()["tls.key"]}
    lab.create("secrets", "next", data=mixed)
    lab.create("secrets", "empty", data={})
    check = TlsSecret(lab.admin, clock=CLOCK)

    found = await check.look(SOURCE, ctx)
    empty = await check.look(SOURCE.model_copy(update={"secret": "empty"}), ctx)

    assert "private key is not that of the certificate" in found.summary
    assert "holds no tls.crt" in empty.summary


async def test_a_source_that_is_not_there_is_an_answer(lab: Lab, ctx: CheckContext) -> None:
    found = await TlsSecret(lab.admin, clock=CLOCK).look(SOURCE, ctx)

    assert found.known
    assert found.evidence["present"] is False
