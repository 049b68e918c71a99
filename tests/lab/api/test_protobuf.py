"""Protobuf bodies: what is understood, what is refused and why."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from healer.lab.api.protobuf import decode
from tests.fakes.apiserver import ADMIN, Lab


def field(number: int, value: bytes) -> bytes:
    """One field of text or message, of less than 128 bytes."""
    return bytes([number << 3 | 2, len(value)]) + value


def body(kind: bytes, raw: bytes) -> bytes:
    """An object in its envelope."""
    about = field(1, b"v1") + field(2, kind)
    return b"k8s\0" + field(1, about) + field(2, raw)


def test_a_namespace_is_read_with_its_labels() -> None:
    label = field(11, field(1, b"team") + field(2, b"blue"))
    raw = field(1, field(1, b"tmp") + label)
    assert decode(body(b"Namespace", raw)) == {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": "tmp", "labels": {"team": "blue"}},
    }


def test_delete_options_are_read() -> None:
    raw = bytes([1 << 3, 0xAC, 0x02]) + field(5, b"All")
    found = decode(body(b"DeleteOptions", raw))
    assert (found["gracePeriodSeconds"], found["dryRun"]) == (300, ["All"])


@given(st.binary(max_size=40))
@example(b"\x08\x01")
@example(field(1, field(2, b"Namespace")) + b"\x10\x01")
@example(field(1, field(2, b"ConfigMap")) + field(2, b"\x10\x01"))
def test_nonsense_is_refused_and_never_a_crash(data: bytes) -> None:
    for raw in (data, b"k8s\0" + data):
        with pytest.raises((ValueError, LookupError)):
            decode(raw)


async def test_a_kind_that_is_not_understood_is_415_and_nonsense_400(lab: Lab) -> None:
    url = f"{lab.server.url}/api/v1/namespaces/default/pods"
    kind = "application/vnd.kubernetes.protobuf"
    headers = {"Authorization": f"Bearer {ADMIN}", "Content-Type": kind}
    for data, code in ((body(b"Pod", b""), 415), (b"nonsense", 400)):
        async with lab.http.post(url, headers=headers, data=data) as found:
            assert found.status == code
