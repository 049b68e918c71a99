"""Templates: `{{ dotted.name }}` inside texts becomes its value. No logic, and never empty text.

Values from alerts and checks are hostile: one that could break out of the query, selector or
command around it is refused. A text that is nothing but one template keeps the value's type.
"""

import re
from collections.abc import Iterator, Mapping, Sequence

from pydantic import BaseModel, ValidationError

from healer.errors import PermanentError
from healer.model.outcome import Json
from healer.playbook.nearest import did_you_mean
from healer.playbook.scope import Names, Scope
from healer.playbook.sentence import sentence
from healer.playbook.value import step_into

_OPENING = "{{"
_TEMPLATE = re.compile(r"\{\{\s*([A-Za-z_]\w*(?:\.\w+)*)\s*\}\}", re.ASCII)
_LONGEST = 65_536
_SHOWN = 60

_NEVER = frozenset("\"'`\\{}$")
_OUTSIDE_QUOTES = frozenset(",()=!<>|;&*?#[]^~\t")
_IN_EXPRESSION = frozenset("*+?()[]|^")
_OUR_OWN = "service"


class TemplateError(PermanentError):
    """A template has no value, or one that must not stand where it would."""


def check_templates(value: Json, names: Names) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """For each bad template where it stands in `value`, and what is wrong with it."""
    for at, text in _texts(value, ()):
        if _OPENING in _TEMPLATE.sub("", text):
            yield at, f"`{_short(text)}`: a template is `{{{{ dotted.name }}}}`, without more"
        for found in _TEMPLATE.finditer(text):
            if problem := names.problem(found[1].split(".")):
                yield at, f"in `{found[0]}`: {problem}"


def template_names(value: Json) -> Iterator[tuple[str, ...]]:
    """The dotted names in all templates of `value`."""
    for _, text in _texts(value, ()):
        for found in _TEMPLATE.finditer(text):
            yield tuple(found[1].split("."))


def has_template(value: Json) -> bool:
    """Does anything in `value` wait to be filled in?"""
    return any(_OPENING in text for _, text in _texts(value, ()))


def render(value: Json, scope: Scope) -> Json:
    """The value with all templates filled in; TemplateError where one cannot be."""
    match value:
        case str():
            return _render_text(value, scope)
        case Mapping():
            return {key: render(item, scope) for key, item in value.items()}
        case Sequence():
            return [render(item, scope) for item in value]
        case _:
            return value


def bind(params: Mapping[str, Json], model: type[BaseModel], scope: Scope) -> BaseModel:
    """Parameters filled in and validated: what an action, check or guard is given."""
    filled = render(params, scope)
    try:
        return model.model_validate(filled)
    except ValidationError as error:
        problems = (
            f"{'.'.join(map(str, row['loc']))}: {sentence(row, model)}".removeprefix(": ")
            for row in error.errors(include_url=False)
        )
        message = f"the parameters do not fit: {'; '.join(problems)}"
        raise TemplateError(message) from None


def _texts(value: Json, at: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    match value:
        case str():
            yield at, value
        case Mapping():
            for key, item in value.items():
                yield from _texts(item, (*at, key))
        case Sequence():
            for index, item in enumerate(value):
                yield from _texts(item, (*at, index))
        case _:
            pass


def _render_text(text: str, scope: Scope) -> Json:
    if _OPENING not in text:
        return text
    if whole := _TEMPLATE.fullmatch(text):
        return _look_up(whole, scope)
    pieces: list[str] = []
    end = 0
    for found in _TEMPLATE.finditer(text):
        before = text[end : found.start()]
        result = "".join(pieces) + before
        if len(result) > _LONGEST:
            break
        pieces += [before, _embedded(found, scope, result)]
        end = found.end()
    result = "".join([*pieces, text[end:]])
    if len(result) > _LONGEST:
        message = f"`{_short(text)}` becomes longer than {_LONGEST} characters"
        raise TemplateError(message)
    if _OPENING in result:
        message = f"`{_short(text)}`: a template is `{{{{ dotted.name }}}}`, without more"
        raise TemplateError(message)
    return result


def _look_up(found: re.Match[str], scope: Scope) -> Json:
    name = found[1].split(".")
    value: Json = scope
    for index, part in enumerate(name):
        if isinstance(value, Mapping) and part not in value:
            holder = f"`{'.'.join(name[:index])}` has" if index else "there is"
            message = f"in `{found[0]}`: {holder} no `{part}`{did_you_mean(part, value)}"
            raise TemplateError(message)
        inner = step_into(value, part)
        if inner is None and not isinstance(value, Mapping):
            message = f"in `{found[0]}`: there is no `{part}` in `{'.'.join(name[:index])}`"
            raise TemplateError(message)
        value = inner  # type: ignore[assignment]  # what stands in JSON is JSON
    return value


def _embedded(found: re.Match[str], scope: Scope, before: str) -> str:
    match _look_up(found, scope):
        case bool() as value:
            return "true" if value else "false"
        case int() | float() as value:
            return str(value)
        case str() as value if value:
            _refuse_hostile(found, value, before)
            return value
        case value:
            what = "nothing" if value in (None, "") else "more than one value"
            message = f"`{found[0]}` is {what}, so it cannot stand inside a text"
            raise TemplateError(message)


def _refuse_hostile(found: re.Match[str], value: str, before: str) -> None:
    quote = _open_quote(before)
    forbidden = _NEVER
    if not found[1].startswith(f"{_OUR_OWN}."):
        if not quote:
            forbidden |= _OUTSIDE_QUOTES
        elif re.search(r"[=!]~\s*$", before[: before.rfind(quote)]):
            forbidden |= _IN_EXPRESSION
    bad = next((char for char in value if char in forbidden or not char.isprintable()), None)
    if bad is not None:
        message = f"`{found[0]}` is {_short(value)!r}: {bad!r} must not stand there, "
        message += "for it could change the meaning of the text around it"
        raise TemplateError(message)


def _open_quote(before: str) -> str:
    """The quotation mark that is open at the end of `before`, or the empty text."""
    quote = ""
    escaped = False
    for char in before:
        if escaped:
            escaped = False
        elif char == "\\" and quote:
            escaped = True
        elif char == quote:
            quote = ""
        elif not quote and char in "\"'`":
            quote = char
    return quote


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
