"""Playbooks load as written; all that is wrong is told at once, and the good ones still load."""

import json
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healer.model.playbook import Mode
from healer.model.service import Service, Target
from healer.playbook.document import parse
from healer.playbook.loader import find_files, load, load_documents
from tests.fakes.words import WORDS

GOOD = Path(__file__).parent / "good"
BAD = Path(__file__).parent / "bad"
EXAMPLE = (GOOD / "SCENARIO-2.yaml").read_text()
SMALL = """apiVersion: healer/v1
kind: Playbook
metadata: {name: ONE, title: One}
spec:
  match: [['alertname="One"']]
  diagnose: [{id: free, check: prometheus.query, with: {query: up}}]
  verify: {until: checks.free.value >= 1}
"""


def _messages(text: str, services: Mapping[str, Service] | None = None) -> list[str]:
    loaded = load_documents([parse(text.encode(), path="x.yaml")], WORDS, services)
    return [fault.message for fault in loaded.faults]


def test_the_example_loads_as_it_is_written() -> None:
    loaded = load([GOOD], WORDS)
    assert [str(fault) for fault in loaded.faults] == []
    (playbook,) = loaded.playbooks
    assert playbook.name == "SCENARIO-2"
    assert playbook.mode is Mode.AUTO
    assert [[str(m) for m in alternative] for alternative in playbook.match] == [
        ['alertname=~"DiskSpaceLow|DiskSpaceCritical"'],
        ['alertname="ServiceDegraded"', 'component="ssd"'],
    ]
    assert playbook.verify.watch == timedelta(minutes=30)
    assert playbook.remedies[0].steps[0].path == "remedies/0/steps/0"
    assert playbook.remedies[0].steps[0].timeout == timedelta(minutes=2)
    assert playbook.diagnose[1].path == "diagnose/1"
    assert playbook.escalate.to == ("platform-lead",)
    assert len(playbook.digest) == 12


JOINING = SMALL.replace("  match:", "  joins: [TWO]\n  match:")
OTHER = SMALL.replace("ONE", "TWO").replace('"One"', '"Two"')


def test_a_playbook_may_join_incidents_of_another() -> None:
    documents = [
        parse(text.encode(), path=name) for name, text in zip("xy", (JOINING, OTHER), strict=True)
    ]
    loaded = load_documents(documents, WORDS)
    assert loaded.faults == ()
    assert [one.joins for one in loaded.playbooks] == [("TWO",), ()]


@pytest.mark.parametrize(
    ("joins", "message"),
    [
        ("TWOO", "there is no other playbook `TWOO`; did you mean `TWO`?"),
        ("ONE", "there is no other playbook `ONE`"),
    ],
)
def test_who_joins_nobody_is_told(joins: str, message: str) -> None:
    texts = (JOINING.replace("TWO", joins), OTHER)
    documents = [parse(text.encode(), path=name) for name, text in zip("xy", texts, strict=True)]
    (fault,) = load_documents(documents, WORDS).faults
    assert fault.message.startswith(message)
    assert (fault.path, fault.line) == ("x", 5)


def test_what_is_left_out_has_careful_defaults() -> None:
    (playbook,) = load_documents([parse(SMALL.encode(), path="x.yaml")], WORDS).playbooks
    assert playbook.mode is Mode.APPROVE
    assert playbook.target == "{{ service.workload }}"
    assert playbook.services == ()
    assert playbook.escalate.failures == 2
    assert playbook.verify.for_ == timedelta(minutes=1)


@pytest.mark.parametrize("path", sorted(BAD.glob("*.yaml")), ids=lambda path: path.stem)
def test_a_bad_playbook_is_refused_with_its_place_and_what_would_be_right(path: Path) -> None:
    loaded = load([path], WORDS)
    told = [str(fault) for fault in loaded.faults]
    expected = path.with_suffix(".txt").read_text().splitlines()
    assert told == [f"{path}:{line}" for line in expected]
    assert loaded.playbooks == ()


def test_every_kind_of_bad_playbook_has_a_message_of_its_own() -> None:
    texts = [path.read_text() for path in BAD.glob("*.txt")]
    assert len(texts) >= 80
    assert len({text.partition(": ")[2] for text in texts}) >= 75


def test_the_good_ones_load_beside_all_the_bad_ones() -> None:
    loaded = load([GOOD, BAD], WORDS)
    assert [playbook.name for playbook in loaded.playbooks] == ["SCENARIO-2"]
    assert {Path(fault.path).stem for fault in loaded.faults} == {
        path.stem for path in BAD.glob("*.yaml")
    }


def test_the_digest_is_of_the_content_and_not_of_the_layout(tmp_path: Path) -> None:
    def digest(text: str) -> str:
        (playbook,) = load_documents([parse(text.encode(), path="x.yaml")], WORDS).playbooks
        return playbook.digest

    assert digest(SMALL) == digest("# a comment\n" + SMALL.replace("[['", "[  ['"))
    assert digest(SMALL) != digest(SMALL.replace("title: One", "title: Two"))


def test_a_folder_is_searched_but_for_tests_and_what_is_hidden(tmp_path: Path) -> None:
    real = tmp_path / "..2026_01_01"
    for folder in (tmp_path / "deep" / "er", real):
        folder.mkdir(parents=True)
    for name in ("deep/er/a.yaml", "deep/b.yml", "c.test.yaml", "d.txt", ".e.yaml"):
        (tmp_path / name).write_text(SMALL)
    (real / "f.yaml").write_text(SMALL)
    (tmp_path / "..data").symlink_to(real.name)
    (tmp_path / "f.yaml").symlink_to("..data/f.yaml")
    found = [str(path.relative_to(tmp_path)) for path in find_files([tmp_path])]
    assert found == ["deep/b.yml", "deep/er/a.yaml", "f.yaml"]


def test_a_path_that_is_not_there_is_a_fault(tmp_path: Path) -> None:
    (fault,) = load([tmp_path / "nowhere"], WORDS).faults
    assert str(fault) == f"{tmp_path}/nowhere:1:1: no such file"


def test_a_file_too_large_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "huge.yaml").write_bytes(b"#" * (2 << 20))
    (fault,) = load([tmp_path], WORDS).faults
    assert fault.message == "larger than 1 MiB: split it into several files"


def test_of_two_playbooks_with_one_name_neither_is_used(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(SMALL)
    (tmp_path / "b.yaml").write_text(SMALL.replace('"One"', '"Two"'))
    loaded = load([tmp_path], WORDS)
    assert loaded.playbooks == ()
    assert [str(fault) for fault in loaded.faults] == [
        f"{tmp_path}/a.yaml:3:18: the name `ONE` is also taken by {tmp_path}/b.yaml",
        f"{tmp_path}/b.yaml:3:18: the name `ONE` is also taken by {tmp_path}/a.yaml",
    ]


def test_two_playbooks_that_match_the_same_are_a_fault_of_both(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(SMALL)
    (tmp_path / "b.yaml").write_text(SMALL.replace("ONE", "TWO"))
    loaded = load([tmp_path], WORDS)
    assert loaded.playbooks == ()
    assert "matches just what `TWO`" in loaded.faults[0].message
    assert loaded.faults[0].line == 5


@pytest.mark.parametrize(
    ("first", "second", "tie"),
    [
        ("", "services: [a]", False),
        ("services: [a]", "services: [b]", False),
        ("services: [a, b]", "services: [b, c]", True),
    ],
)
def test_services_keep_playbooks_apart(
    tmp_path: Path, first: str, second: str, *, tie: bool
) -> None:
    (tmp_path / "a.yaml").write_text(SMALL.replace("spec:", f"spec:\n  {first}"))
    text = SMALL.replace("ONE", "TWO").replace("spec:", f"spec:\n  {second}")
    (tmp_path / "b.yaml").write_text(text)
    assert bool(load([tmp_path], WORDS).faults) is tie


@pytest.mark.parametrize(
    "params",
    [
        "{replicas: '{{ service.values.most }}'}",
        "{by: '{{ checks.free.value }}', through: '{{ alert.labels.way }}'}",
        "{replicas: '{{ service.values.most }}', by: '{{ service.values.more }}'}",
    ],
)
def test_a_value_that_is_not_known_yet_is_not_judged_yet(params: str) -> None:
    steps = f"[{{id: s, action: kubernetes.scale, with: {params}}}]"
    remedy = f"  remedies: [{{name: r, when: 'true', steps: {steps}}}]\n"
    assert _messages(SMALL + remedy) == []


def test_the_values_beside_a_template_are_judged() -> None:
    params = "{replicas: '{{ service.values.most }}', through: hp, reason: x}"
    steps = f"[{{id: s, action: kubernetes.scale, with: {params}}}]"
    remedy = f"  remedies: [{{name: r, when: 'true', steps: {steps}}}]\n"
    told = "\n".join(_messages(SMALL + remedy))
    assert "unknown key `reason`" in told
    assert "did you mean `hpa`?" in told


def test_a_step_may_name_a_step_before_it() -> None:
    steps = "[{id: a, action: kubernetes.restart}, {id: b, action: kubernetes.scale, "
    steps += "with: {replicas: '{{ steps.a.count }}'}}]"
    assert _messages(f"{SMALL}  remedies: [{{name: r, when: true, steps: {steps}}}]\n") == []


def _service(name: str, **thresholds: float) -> Service:
    workload = Target(namespace="prod", kind="deployment", name=name)
    return Service(
        name=name, match=(), workload=workload, selector=f"app={name}", thresholds=thresholds
    )


@pytest.mark.parametrize(
    ("services", "names", "message"),
    [
        ("services: [a]", "a", ""),
        ("services: [aa]", "a", "there is no service `aa`; did you mean `a`?"),
        ("services: [a, b]", "ab", "the service `b` has no such entry under `thresholds`"),
        ("", "ab", ""),
        ("", "b", "the service `b` has no such entry under `thresholds`; did you mean `frei`?"),
    ],
)
def test_names_of_services_and_thresholds_are_checked_where_they_are_known(
    services: str, names: str, message: str
) -> None:
    every = {"a": _service("a", free=1), "b": _service("b", frei=1)}
    text = SMALL.replace(">= 1", "> service.thresholds.free")
    text = text.replace("spec:", f"spec:\n  {services}")
    told = _messages(text, {name: every[name] for name in names})
    assert [message in one for one in told] == ([True] if message else [])


@given(st.text() | st.text(alphabet="{}[]:-&*!|>'\"%@`#?, \n\tab1\\\x00é"))
def test_no_text_breaks_the_loader(text: str) -> None:
    assert _messages(text)


@given(st.binary())
def test_no_bytes_break_the_loader(data: bytes) -> None:
    assert load_documents([parse(data, path="x.yaml")], WORDS).faults


@given(
    st.integers(min_value=0, max_value=len(EXAMPLE)),
    st.integers(min_value=0, max_value=40),
    st.text(max_size=20),
)
def test_no_damage_to_a_good_playbook_breaks_the_loader(at: int, cut: int, put: str) -> None:
    damaged = EXAMPLE[:at] + put + EXAMPLE[at + cut :]
    loaded = load_documents([parse(damaged.encode("utf-8", "surrogatepass"), path="x.yaml")], WORDS)
    assert bool(loaded.faults) != bool(loaded.playbooks)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.sampled_from(
        ["services", "match", "target", "guards", "diagnose", "remedies", "verify", "escalate"]
    ),
    _JSON,
)
def test_no_value_anywhere_breaks_the_loader(key: str, value: object) -> None:
    spec = {"match": [['a="b"']], "verify": {"until": "true"}, key: value}
    whole = {
        "apiVersion": "healer/v1",
        "kind": "Playbook",
        "metadata": {"name": "a", "title": "a"},
        "spec": spec,
    }
    loaded = load_documents([parse(json.dumps(whole).encode(), path="x.yaml")], WORDS)
    assert bool(loaded.faults) != bool(loaded.playbooks)
