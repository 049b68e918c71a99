"""cert-manager.renew against the lab's API server and its cert-manager."""

import pytest

from healer.action.certificate.renew import Renew, RenewParams
from healer.errors import PermanentError, RejectedError, StepTimeoutError
from healer.lab.contract import Object
from healer.model.outcome import Result
from tests.fakes.lab import NAMESPACE, HastyClock, Lab, recorded, step
from tests.fakes.sealed import issuer_ready, keep, signed, store

CLOCK = HastyClock()
WISH = RenewParams(certificate="cert")


@pytest.fixture
async def kept(lab: Lab) -> Lab:
    """A Secret with five days left, which cert-manager keeps and does not yet think due."""
    store(lab, "tls", signed(days=5))
    keep(lab)
    await lab.until(lambda: issuer_ready(lab, "True"))
    return lab


def data(lab: Lab) -> object:
    return lab.get("secrets", "tls")["data"]


def lose_the_key(lab: Lab) -> None:
    lab.change("secrets", "ca", lambda one: one["data"].pop("tls.key"))


async def test_its_own_rights_are_enough_and_done_means_issued(kept: Lab) -> None:
    before = data(kept)
    action = Renew(kept.healer, clock=CLOCK)
    kept.grant(action.permissions(WISH, namespace=NAMESPACE))

    params = recorded(await action.prepare(WISH, step()))
    outcome = await action.run(params, step())

    assert outcome.result is Result.SUCCEEDED
    assert outcome.evidence["revision"] == 2
    assert data(kept) != before
    assert action.undo(params, outcome) is None
    settled = await action.settle(params, step())
    assert settled
    assert settled.result is Result.SUCCEEDED


@pytest.mark.parametrize("missing", ["certificates", "certificates/status", "issuers"])
async def test_it_names_no_right_that_it_does_not_need(kept: Lab, missing: str) -> None:
    action = Renew(kept.healer, clock=CLOCK)
    rights = action.permissions(WISH, namespace=NAMESPACE)
    kept.grant(one for one in rights if one.resource != missing)

    with pytest.raises(RejectedError) as caught:
        await action.run(await action.prepare(WISH, step()), step())

    assert caught.value.reason == "Forbidden"


async def test_an_issuer_that_cannot_sign_is_not_asked(kept: Lab) -> None:
    lose_the_key(kept)
    await kept.until(lambda: issuer_ready(kept, "False"))
    before = kept.get("certificates", "cert")

    with pytest.raises(PermanentError, match="cannot be renewed: Error getting keypair"):
        await Renew(kept.admin, clock=CLOCK).prepare(WISH, step())

    assert kept.get("certificates", "cert") == before


async def test_an_issuer_that_breaks_meanwhile_leaves_the_old_certificate_in_use(
    kept: Lab,
) -> None:
    before = data(kept)
    action = Renew(kept.admin, clock=CLOCK)
    params = await action.prepare(WISH, step())
    lose_the_key(kept)
    await kept.until(lambda: issuer_ready(kept, "False"))

    with pytest.raises(StepTimeoutError, match="manually triggered by healer"):
        await action.run(params, step(seconds=0.3))

    assert data(kept) == before
    settled = await action.settle(params, step())
    assert settled
    assert settled.result is Result.FAILED


async def test_what_the_issuer_refuses_is_told_in_its_words(kept: Lab) -> None:
    action = Renew(kept.admin, clock=CLOCK)
    params = await action.prepare(WISH, step())
    lose_the_key(kept)
    await kept.until(lambda: issuer_ready(kept, "False"))

    def refuse(one: Object) -> None:
        (mark,) = [item for item in one["status"]["conditions"] if item["type"] == "Issuing"]
        mark.update(status="False", reason="Failed", message="quota exceeded")

    with pytest.raises(StepTimeoutError):
        await action.run(params, step(seconds=0.2))
    kept.change("certificates", "cert", refuse)
    settled = await action.settle(params, step())

    assert settled
    assert settled.result is Result.FAILED
    assert "quota exceeded" in settled.summary


async def test_other_conditions_stay_as_they_are(kept: Lab) -> None:
    ready = {"type": "Ready", "status": "True", "reason": "Ready", "message": "", "extra": "kept"}
    lose_the_key(kept)
    kept.change("certificates", "cert", lambda one: one["status"].update(conditions=[ready]))
    action = Renew(kept.admin, clock=CLOCK)

    with pytest.raises(StepTimeoutError):
        await action.run(WISH.model_copy(update={"revision": 1}), step(seconds=0.2))

    conditions = kept.get("certificates", "cert")["status"]["conditions"]
    assert ready in conditions
    assert [one["reason"] for one in conditions if one["type"] == "Issuing"] == [
        "ManuallyTriggered"
    ]


async def test_a_dry_run_asks_the_server_and_changes_nothing(kept: Lab) -> None:
    action = Renew(kept.admin, clock=CLOCK)
    params = await action.prepare(WISH, step(dry_run=True))
    before = kept.get("certificates", "cert")

    outcome = await action.run(params, step(dry_run=True))

    assert outcome.result is Result.SKIPPED
    assert kept.get("certificates", "cert") == before
    settled = await action.settle(params, step())
    assert settled
    assert settled.result is Result.FAILED
