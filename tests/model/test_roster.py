"""The roster is held against a plain dict: same alerts, same order, and old values stay."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healer.model.alert import Alert, AlertStatus, Fingerprint
from healer.model.roster import Roster

_AT = datetime(2026, 1, 1, tzinfo=UTC)


def alert(number: int, *, note: int = 0) -> Alert:
    return Alert(
        fingerprint=Fingerprint(f"{number:x}"),
        status=AlertStatus.FIRING,
        labels={"alertname": "A"},
        annotations={"note": str(note)},
        starts_at=_AT,
    )


deliveries = st.lists(st.lists(st.integers(0, 30), max_size=12), max_size=20)


@given(deliveries, st.booleans())
def test_it_is_a_dict_that_never_changes(numbers: list[list[int]], look: bool) -> None:
    roster, plain = Roster(), dict[Fingerprint, Alert]()
    history: list[tuple[Roster, dict[Fingerprint, Alert]]] = []
    for note, row in enumerate(numbers):
        alerts = [alert(number, note=note) for number in row]
        roster = roster.joined(alerts)
        plain = {**plain, **{one.fingerprint: one for one in alerts}}
        history.append((roster, plain))
        if look:
            assert len(roster) == len(plain)
    for seen, wanted in history:
        assert [seen.get(Fingerprint(f"{number:x}")) for number in range(31)] == [
            wanted.get(Fingerprint(f"{number:x}")) for number in range(31)
        ]
        assert list(seen.items()) == list(wanted.items())
        assert (list(seen), list(seen.values())) == (list(wanted), list(wanted.values()))
        assert (bool(seen), len(seen)) == (bool(wanted), len(wanted))
        assert seen == wanted
        assert seen == Roster(wanted)


def test_two_values_grown_from_one_do_not_meet() -> None:
    trunk = Roster().joined([alert(1)])
    left, right = trunk.joined([alert(2)]), trunk.joined([alert(3)])
    assert [list(one) for one in (trunk, left, right)] == [["1"], ["1", "2"], ["1", "3"]]
    assert left != right


def test_what_is_not_there_is_a_key_error() -> None:
    assert Fingerprint("1") not in Roster()
    with pytest.raises(KeyError, match="f"):
        Roster().joined([alert(1)])[Fingerprint("f")]
