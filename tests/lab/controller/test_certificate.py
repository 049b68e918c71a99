"""Certificates and issuers as cert-manager keeps them."""

import base64
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from healer.kit.certificate import Certificate, parse_pair
from tests.fakes.lab import NAMESPACE, Lab, running_lab
from tests.fakes.sealed import AUTHORITY, HOST, issuer_ready, keep, signed, store


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Lab]:
    async with running_lab(tmp_path) as running:
        yield running


def held(lab: Lab) -> Certificate:
    data = lab.get("secrets", "tls")["data"]
    return parse_pair(*(base64.b64decode(data[one]) for one in ("tls.crt", "tls.key")))


def revision(lab: Lab) -> int:
    return int(lab.get("certificates", "cert")["status"]["revision"])


async def test_a_missing_secret_is_made(lab: Lab) -> None:
    keep(lab)

    await lab.until(lambda: lab.store.get("secrets", NAMESPACE, "tls"))

    found = held(lab)
    assert found.names == (HOST,)
    assert found.not_after > datetime.now(UTC) + timedelta(days=89)


async def test_one_that_is_not_due_is_left_as_it_is(lab: Lab) -> None:
    pair = signed(days=5)
    store(lab, "tls", pair)
    keep(lab)

    await lab.until(lambda: issuer_ready(lab, "True"))
    lab.change("certificates", "cert", lambda one: one["metadata"].update(labels={"a": "b"}))
    await lab.settled()

    assert revision(lab) == 1


async def test_one_that_is_due_is_renewed_by_itself(lab: Lab) -> None:
    store(lab, "tls", signed(days=0.5))
    keep(lab)

    await lab.until(lambda: revision(lab) == 2)

    assert held(lab).not_after > datetime.now(UTC) + timedelta(days=89)


async def test_while_the_issuer_cannot_sign_the_old_one_stays_and_then_it_is_renewed(
    lab: Lab,
) -> None:
    store(lab, "tls", signed(days=0.5))
    keep(lab, sound=False)
    await lab.until(lambda: issuer_ready(lab, "False"))
    key = lab.get("secrets", "ca")["data"]
    assert revision(lab) == 1

    whole = {**key, **AUTHORITY.secret()}
    lab.change("secrets", "ca", lambda one: one.update(data=whole))

    await lab.until(lambda: revision(lab) == 2)
    conditions = {
        one["type"]: one["status"]
        for one in lab.get("certificates", "cert")["status"]["conditions"]
    }
    assert conditions == {"Ready": "True"}


async def test_a_certificate_that_was_deleted_does_not_come_back(lab: Lab) -> None:
    keep(lab)
    await lab.until(lambda: lab.store.get("secrets", NAMESPACE, "tls"))

    lab.store.delete("certificates", NAMESPACE, "cert")
    await lab.settled()

    assert lab.store.get("certificates", NAMESPACE, "cert") is None
