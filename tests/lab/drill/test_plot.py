"""The picture of a drill: everything is on it, inside it, and where it belongs."""

import re
from collections.abc import Sequence
from xml.etree import ElementTree as Xml

import pytest

from healer.lab.drill.plot import HEIGHT, LEFT, RIGHT, WIDTH, Mark, Plot, Point, ticks

MARKS = (
    Mark(at=0, label="fault", kind="bad"),
    Mark(at=3, label="alert", kind="bad"),
    Mark(at=3.1, label="evict", kind="act"),
    Mark(at=40, label="verified healed", kind="good"),
)


POINTS = ((-5.0, 180.0), (0.0, 4.0), (4.0, 60.0))


def drawn(points: Sequence[Point] = POINTS, marks: Sequence[Mark] = MARKS) -> Xml.Element:
    plot = Plot(title="free <space>", unit="MB", points=points, marks=marks)
    return Xml.fromstring(plot.svg())


def elements(picture: Xml.Element, name: str) -> list[Xml.Element]:
    return [one for one in picture.iter() if one.tag.endswith(f"}}{name}")]


def test_every_point_and_every_mark_is_inside_the_picture() -> None:
    picture = drawn()
    (curve,) = elements(picture, "polyline")
    places = [
        tuple(float(part) for part in pair.split(",")) for pair in curve.attrib["points"].split()
    ]
    height = float(picture.attrib["height"])
    assert len(places) == 3
    assert all(LEFT <= x <= WIDTH - RIGHT and 0 <= y <= height for x, y in places)
    texts = [one.text for one in elements(picture, "text")]
    for label in ("fault", "alert", "evict", "verified healed", "free <space>, in MB"):
        assert label in texts


def test_higher_values_stand_higher() -> None:
    (curve,) = elements(drawn(), "polyline")
    tops = [float(pair.split(",")[1]) for pair in curve.attrib["points"].split()]
    assert tops[0] < tops[2] < tops[1]
    assert tops[1] - tops[0] > HEIGHT / 2


def test_labels_of_one_moment_stand_on_different_rows() -> None:
    texts = {one.text: float(one.attrib["y"]) for one in elements(drawn(), "text")}
    assert len({texts["alert"], texts["evict"]}) == 2


def test_a_label_at_the_right_edge_is_written_to_the_left() -> None:
    ends = {one.text: one.get("text-anchor") for one in elements(drawn(), "text")}
    assert ends["verified healed"] == "end"
    assert ends["fault"] == "start"


def test_without_a_value_the_picture_says_so() -> None:
    texts = [one.text for one in elements(drawn((), ()), "text")]
    assert "Prometheus has no value" in texts


@pytest.mark.parametrize("value", [0.0, 3.0])
def test_a_value_that_never_changes_is_drawn_as_well(value: float) -> None:
    assert elements(drawn([(0, value), (9, value)]), "polyline")


@pytest.mark.parametrize(
    ("low", "high", "found"),
    [
        (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        (-5, 47, [0, 10, 20, 30, 40]),
        (0, 200, [0, 50, 100, 150, 200]),
    ],
)
def test_ticks_are_round_numbers(low: float, high: float, found: list[float]) -> None:
    assert ticks(low, high) == pytest.approx(found)


def test_it_needs_nothing_from_elsewhere() -> None:
    text = Plot(title="t", unit="", points=[(0, 1)]).svg()
    assert not re.search(r"https?://(?!www\.w3\.org)|<script|<style", text)
