"""Templates: types are kept, unknown names are errors, and nothing breaks out of its text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healer.model.outcome import Json
from healer.playbook.render import TemplateError, bind, check_templates, render
from healer.playbook.scope import Names
from tests.fakes.words import Patch, Scale

SCOPE: dict[str, Json] = {
    "service": {
        "name": "api",
        "namespace": "production",
        "selector": "app=api,tier in (a, b)",
        "thresholds": {"free": 20.5},
    },
    "alert": {"labels": {"pod": "api-0", "evil": 'x"} or up{a="', "empty": ""}},
    "alerts": [{"labels": {"pod": "api-0"}}, {"labels": {"pod": "api-1"}}],
    "checks": {"old": {"bytes": 7, "known": True, "gone": None, "names": ["a", "b"]}},
}


def _with_label(value: str) -> dict[str, Json]:
    return {"alert": {"labels": {"x": value}}}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("{{ checks.old.bytes }}", 7),
        ("{{checks.old.known}}", True),
        ("{{ checks.old.names }}", ["a", "b"]),
        ("{{ service.thresholds.free }}", 20.5),
        ("{{ alert.labels.empty }}", ""),
        ("{{ alerts.1.labels.pod }}", "api-1"),
        ("{{ checks.old.gone }}", None),
        ("pod {{ alert.labels.pod }} of {{ service.name }}", "pod api-0 of api"),
        ("{{ checks.old.bytes }} {{ checks.old.known }}", "7 true"),
        ('up{namespace="{{ service.namespace }}"}', 'up{namespace="production"}'),
        ("{{ service.selector }},x=y", "app=api,tier in (a, b),x=y"),
        ({"a": ["{{ checks.old.bytes }}", 1], "b": None}, {"a": [7, 1], "b": None}),
        ("nothing to fill in {a}", "nothing to fill in {a}"),
    ],
)
def test_a_template_becomes_its_value(value: Json, expected: Json) -> None:
    assert render(value, SCOPE) == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{{ service.nam }}", "`service` has no `nam`; did you mean `name`?"),
        ("{{ servce.name }}", "there is no `servce`; did you mean `service`?"),
        ("{{ service.name.first }}", "there is no `first` in `service.name`"),
        ("{{ alerts.7.labels.pod }}", "there is no `7` in `alerts`"),
        ("a {{ alert.labels.empty }}", "is nothing"),
        ("a {{ checks.old.gone }}", "is nothing"),
        ("a {{ checks.old.names }}", "is more than one value"),
        ("{{ service.name | upper }}", "without more"),
        ("a {{ service.name }} {{ b", "without more"),
    ],
)
def test_a_template_without_a_value_is_an_error_and_never_empty_text(
    text: str, reason: str
) -> None:
    with pytest.raises(TemplateError) as caught:
        render(text, SCOPE)
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('up{a="{{ alert.labels.x }}"}', 'x"} or up{a="'),
        ('up{a="{{ alert.labels.x }}"}', "x\\"),
        ('up{a="{{ alert.labels.x }}"}', "x\ny"),
        ('up{a="{{ alert.labels.x }}"}', "x}"),
        ('up{a=~"{{ alert.labels.x }}"}', ".*"),
        ('up{a=~ "api-{{ alert.labels.x }}"}', "0|other"),
        ("app={{ alert.labels.x }}", "a,tier=b"),
        ("app in ({{ alert.labels.x }})", "a) , b notin (c"),
        ("app={{ alert.labels.x }}", "a!=b"),
        ("rm -r /cache/{{ alert.labels.x }}", "a; rm -r *"),
        ('sh "{{ alert.labels.x }}"', "$(reboot)"),
        ("sh '{{ alert.labels.x }}'", "`reboot`"),
        ("x {{ alert.labels.x }}", "\x1b[2J"),
        ("x {{ alert.labels.x }}", "{{ service.name }}"),
        ("x {{ alert.labels.x }}", "\u2028"),
    ],
)
def test_a_hostile_value_does_not_break_out_of_the_text_around_it(text: str, value: str) -> None:
    with pytest.raises(TemplateError, match="could change the meaning of the text around it"):
        render(text, _with_label(value))


@pytest.mark.parametrize("value", ["api-0", "10.0.0.1:8000", "a/b_c.d", "größer", "two words"])
def test_an_ordinary_value_may_stand_in_a_query(value: str) -> None:
    assert render('up{a="{{ alert.labels.x }}"}', _with_label(value)) == f'up{{a="{value}"}}'


@given(st.text())
def test_a_value_never_ends_the_quotes_it_stands_in(value: str) -> None:
    try:
        result = render('up{a="{{ alert.labels.x }}"}', _with_label(value))
    except TemplateError:
        return
    assert result == f'up{{a="{value}"}}'
    assert not set(value) & set('"\\{}\n')


@given(st.text())
def test_a_value_never_adds_a_term_to_a_selector(value: str) -> None:
    try:
        result = render("app={{ alert.labels.x }},tier=b", _with_label(value))
    except TemplateError:
        return
    assert str(result).count(",") == 1
    assert str(result).count("=") == 2


@given(st.text() | st.text(alphabet="{} abc.|\n"))
def test_no_text_breaks_the_renderer(text: str) -> None:
    problems = list(check_templates(text, Names()))
    try:
        result = render(text, SCOPE)
    except TemplateError:
        return
    assert problems == [] or result != ""


def test_a_text_that_grows_beyond_all_sense_is_refused() -> None:
    scope: dict[str, Json] = {"service": {"name": "x" * 1000}}
    with pytest.raises(TemplateError, match="becomes longer than"):
        render("{{ service.name }} " * 100, scope)


def test_parameters_are_filled_in_and_judged_as_a_whole() -> None:
    params = bind({"replicas": "{{ checks.old.bytes }}"}, Scale, SCOPE)
    assert params == Scale(replicas=7)


@pytest.mark.parametrize(
    ("params", "reason"),
    [
        ({"replicas": "{{ alert.labels.pod }}"}, "replicas: must be a whole number, not 'api-0'"),
        ({"replicas": 51}, "replicas: must be at most 50, not 51"),
        ({"replicas": 1, "by": "{{ checks.old.bytes }}"}, "give either `replicas` or `by`"),
    ],
)
def test_parameters_that_do_not_fit_once_filled_in_are_refused(
    params: dict[str, Json], reason: str
) -> None:
    with pytest.raises(TemplateError) as caught:
        bind(params, Scale, SCOPE)
    assert reason in str(caught.value)


def test_the_place_of_a_bad_parameter_is_told() -> None:
    with pytest.raises(TemplateError, match=r"keys\.0\.nam: unknown key `nam`"):
        bind({"config_map": "a", "keys": [{"nam": "a", "name": "b", "value": "c"}]}, Patch, SCOPE)


def test_bad_templates_are_found_where_they_stand() -> None:
    value: Json = {"a": ["{{ service.name }}", {"b": "{{ service.nam }} {{ $x }}"}]}
    found = list(check_templates(value, Names()))
    assert [at for at, _ in found] == [("a", 1, "b"), ("a", 1, "b")]
