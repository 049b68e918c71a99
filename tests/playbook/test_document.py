"""YAML is read with places, once and the same everywhere, and never at any price."""

import json
import os
import time
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from healer.model.outcome import Json
from healer.playbook.compose import Mark
from healer.playbook.document import MAX_BYTES, Document, parse, read


def _parse(text: str) -> Document:
    return parse(text.encode(), path="x.yaml")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("22:30", "22:30"),
        ("2026-01-31", "2026-01-31"),
        ("2026-01-31T22:00:00Z", "2026-01-31T22:00:00Z"),
        ("1.10", 1.1),
        ("1e3", 1000.0),
        ("0x1F", 31),
        ("-7", -7),
        ("0", 0),
        ("~", None),
        ("", None),
        ("TRUE", True),
        ("'yes'", "yes"),
        ('"012"', "012"),
        ("y", "y"),
        ("=", "="),
        ("9223372036854775807", 2**63 - 1),
        ("|\n  two\n  lines\n", "two\nlines\n"),
        ("[a, {b: 1}]", ["a", {"b": 1}]),
        ("&x [1]", [1]),
    ],
)
def test_a_scalar_means_what_yaml_1_2_says(text: str, value: Json) -> None:
    document = _parse(f"a: {text}\n")
    assert document.faults == ()
    assert document.value == {"a": value}


def test_every_value_and_key_has_its_place() -> None:
    document = _parse("a:\n  - b: 1\n    cc: [x, y]\n")
    assert document.values[("a", 0, "cc", 1)] == Mark(line=3, column=13)
    assert document.keys[("a", 0, "cc")] == Mark(line=3, column=5)
    assert document.sub(("a", 0, "cc", 1)) == "y"
    assert document.sub(("a", 7, "cc")) is None


def test_a_fault_of_what_is_not_there_points_at_what_is_around_it() -> None:
    fault = _parse("a:\n  - b: 1\n").fault(("a", 0, "nope", "deeper"), "wrong")
    assert str(fault) == "x.yaml:2:5: wrong"


def test_an_alias_stands_for_its_anchor() -> None:
    document = _parse("a: &x {b: [1]}\nc: *x\n")
    assert document.value == {"a": {"b": [1]}, "c": {"b": [1]}}
    assert document.fault(("c", "b", 0), "wrong").line == 2


def test_a_byte_order_mark_and_windows_lines_are_no_fault() -> None:
    document = parse(b"\xef\xbb\xbfa: 1\r\nb: 2\r\n", path="x.yaml")
    assert document.value == {"a": 1, "b": 2}
    assert document.faults == ()


def test_the_first_of_two_equal_keys_counts_and_the_second_is_told() -> None:
    document = _parse("a: 1\na: 2\n")
    assert document.value == {"a": 1}
    assert [str(fault) for fault in document.faults] == [
        "x.yaml:2:1: `a` stands here already, on line 1"
    ]


def test_a_folder_or_a_pipe_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert read(tmp_path / "pipe").faults[0].message == "not a plain file"
    assert read(tmp_path).faults[0].message == "not a plain file"
    (tmp_path / "loop").symlink_to("loop")
    assert read(tmp_path / "loop").broken


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        "{a: " * 100_000,
        "- " * 100_000,
        "a: " * 100_000,
        "&a " * 100_000,
        "!" * 100_000,
        '"' + "\\" * 100_000,
        "? " * 100_000,
        "[" + "[],\n" * 100_000,
        "a: " + "9" * 100_000,
        "%TAG " * 10_000,
    ],
)
def test_hostile_texts_are_refused_soon(text: str) -> None:
    begun = time.process_time()
    assert _parse(text).faults
    assert time.process_time() - begun < 20


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers(min_value=-(2**63) + 1, max_value=2**63 - 1)
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=126)),
        lambda inner: st.lists(inner) | st.dictionaries(st.text("abc", min_size=1), inner),
        max_leaves=20,
    )
)
def test_json_is_read_as_itself(value: Json) -> None:
    document = _parse(json.dumps(value))
    assert document.faults == ()
    assert document.value == value


@given(st.binary(max_size=200))
@example(b"a: 1\n...\n[\t~")
@example(b"a[\n>~\t~")
def test_no_bytes_break_the_reader(data: bytes) -> None:
    document = parse(data, path="x.yaml")
    assert document.value is None or not document.broken


def test_the_size_is_bounded_before_anything_is_read() -> None:
    assert parse(b"a" * (MAX_BYTES + 1), path="x.yaml").broken
