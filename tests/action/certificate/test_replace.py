"""kubernetes.tls-secret against the lab's API server: which pairs it takes, and the way back."""

from typing import Any

import pytest

from healer.action.certificate.replace import Replace, ReplaceParams
from healer.errors import PermanentError, RejectedError
from healer.lab.authority import Pair
from healer.model.outcome import Result
from tests.fakes.lab import NAMESPACE, HastyClock, Lab, recorded, step
from tests.fakes.sealed import signed, store

CLOCK = HastyClock()
WISH = ReplaceParams(secret="tls", source="next")


@pytest.fixture
def used(lab: Lab) -> Lab:
    """A Secret in use with five days left, and a good one laid ready."""
    store(lab, "tls", signed(days=5))
    store(lab, "next", signed(days=90))
    return lab


def data(lab: Lab, name: str = "tls") -> dict[str, str]:
    found: dict[str, str] = lab.get("secrets", name)["data"]
    return found


async def test_its_own_rights_are_enough_and_undo_brings_the_old_pair_back(used: Lab) -> None:
    old, new = data(used), data(used, "next")
    used.change("secrets", "tls", lambda one: one["data"].update(other="c3RheXM="))
    action = Replace(used.healer, clock=CLOCK)
    used.grant(action.permissions(WISH, namespace=NAMESPACE))
    params = recorded(await action.prepare(WISH, step()))

    outcome = await action.run(params, step())

    assert outcome.result is Result.SUCCEEDED
    assert data(used).items() > new.items()
    assert {name: data(used)[f"before-healer.{name}"] for name in old} == old
    undo = action.undo(params, outcome)
    assert undo
    assert isinstance(undo.params, ReplaceParams)
    await action.run(recorded(undo.params), step())
    assert data(used) == {**old, "other": "c3RheXM="}


async def test_neither_certificate_nor_key_is_ever_written_down(used: Lab) -> None:
    action = Replace(used.admin, clock=CLOCK)
    params = await action.prepare(WISH, step())
    outcome = await action.run(params, step())

    said = f"{params!r} {outcome!r} {await used.admin.secrets.get(NAMESPACE, 'tls')!r}"

    for secret in (*data(used).values(), *data(used, "next").values()):
        assert secret not in said


@pytest.mark.parametrize("right", [("get", 2), ("patch", 1)])
async def test_it_names_no_right_that_it_does_not_need(used: Lab, right: tuple[str, int]) -> None:
    action = Replace(used.healer, clock=CLOCK)
    rights = action.permissions(WISH, namespace=NAMESPACE)
    verb, names = right
    assert [len(one.names) for one in rights if one.verb == verb] == [names]
    used.grant(one for one in rights if one.verb != verb)

    with pytest.raises(RejectedError) as caught:
        await action.run(await action.prepare(WISH, step()), step())

    assert caught.value.reason == "Forbidden"


@pytest.mark.parametrize(
    ("pair", "why"),
    [
        (signed(days=6), "it holds only until"),
        (signed(days=90, since=-1), "it holds only from"),
        (signed("other.example.com", days=90), "it is not made out for api.example.com"),
    ],
)
async def test_a_pair_that_would_be_worse_is_refused_before_anything_is_done(
    lab: Lab, pair: Pair, why: str
) -> None:
    store(lab, "tls", signed(days=5))
    store(lab, "next", pair)
    before = data(lab)

    with pytest.raises(PermanentError, match=why):
        await Replace(lab.admin, clock=CLOCK).prepare(WISH, step())

    assert data(lab) == before


async def test_one_that_does_not_hold_longer_is_refused(lab: Lab) -> None:
    store(lab, "tls", signed(days=95))
    store(lab, "next", signed(days=90))

    with pytest.raises(PermanentError, match="it holds only until"):
        await Replace(lab.admin, clock=CLOCK).prepare(WISH, step())


@pytest.mark.parametrize("broken", [{}, {"tls.crt": "AAAA", "tls.key": "AAAA"}, {"tls.crt": "?"}])
async def test_a_source_that_is_no_pair_is_refused(used: Lab, broken: dict[str, str]) -> None:
    used.change("secrets", "next", lambda one: one.update(data=broken))

    with pytest.raises(PermanentError, match="secret production/next holds no"):
        await Replace(used.admin, clock=CLOCK).prepare(WISH, step())


async def test_a_source_that_was_changed_meanwhile_is_not_used(used: Lab) -> None:
    action = Replace(used.admin, clock=CLOCK)
    params = await action.prepare(WISH, step())
    used.change("secrets", "next", lambda one: one.update(data=signed(days=99).secret()))
    before = data(used)

    with pytest.raises(PermanentError, match="was changed meanwhile"):
        await action.run(params, step())

    assert data(used) == before


async def test_doing_it_twice_keeps_what_was_there_at_first(used: Lab) -> None:
    old = data(used)
    action = Replace(used.admin, clock=CLOCK)
    params = await action.prepare(WISH, step())

    await action.run(params, step())
    await action.run(params, step())

    assert {name: data(used)[f"before-healer.{name}"] for name in old} == old


@pytest.mark.parametrize(
    ("now", "result"), [("next", Result.SUCCEEDED), ("tls", Result.FAILED), ("", None)]
)
async def test_after_a_crash_the_fingerprint_tells_what_came_of_it(
    used: Lab, now: str, result: Result | None
) -> None:
    action = Replace(used.admin, clock=CLOCK)
    params = recorded(await action.prepare(WISH, step()))
    held: Any = data(used, now) if now else signed(days=50).secret()
    used.change("secrets", "tls", lambda one: one.update(data=held))

    outcome = await action.settle(params, step())

    assert (outcome.result if outcome else None) is result


async def test_a_dry_run_changes_nothing(used: Lab) -> None:
    before = data(used)
    action = Replace(used.admin, clock=CLOCK)
    params = await action.prepare(WISH, step(dry_run=True))

    outcome = await action.run(params, step(dry_run=True))

    assert outcome.result is Result.SKIPPED
    assert outcome.summary.startswith("would replace the certificate in secret tls")
    assert data(used) == before
    assert action.undo(params, outcome) is None
