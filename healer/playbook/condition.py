"""Conditions in CEL, the language Kubernetes uses: checked when loaded, decided when asked.

What cannot be decided is an error with a reason, never quietly false. Bounded in what it may
cost: the CEL package holds the interpreter while it works, and has no limit of its own.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache

import cel

from healer.errors import PermanentError
from healer.playbook.expression import Expression, dissect
from healer.playbook.nearest import did_you_mean
from healer.playbook.scope import Names
from healer.playbook.value import MAX_COPIED, MAX_LEAVES, Value, bounded, step_into

MAX_BYTES = 4096
MAX_SIGNS = 600
MAX_DEPTH = 24
_SHOWN = 120

_FUNCTIONS = frozenset(
    {
        *("size", "contains", "startsWith", "endsWith", "matches", "has"),
        *("bool", "bytes", "double", "duration", "dyn", "int", "string", "timestamp", "type"),
        *("uint", "getFullYear", "getMonth", "getDate", "getDayOfMonth", "getDayOfWeek"),
        *("getDayOfYear", "getHours", "getMinutes", "getSeconds", "getMilliseconds"),
    }
)


class ConditionError(PermanentError):
    """The condition has no answer for these values; neither yes nor no."""


def check_condition(text: str, names: Names) -> tuple[str, ...]:
    """All that is wrong with a condition, in sentences."""
    if "{{" in text:
        return ("a condition is CEL: write the name itself, without `{{ }}`",)
    if len(text.encode()) > MAX_BYTES:
        return (f"a condition may have {MAX_BYTES} bytes: let a check work out more",)
    try:
        program = cel.compile(text)
    except ValueError as error:
        return (_syntax(error),)
    expression = dissect(text)
    problems = [*_limits(expression), *_functions(program.functions())]
    problems += [names.problem(name) for name in expression.names]
    seen = {name[0] for name in expression.names} | expression.bound
    problems += [names.problem((root,)) for root in program.variables() if root not in seen]
    return tuple(dict.fromkeys(problem for problem in problems if problem))


def referenced_checks(text: str) -> frozenset[str]:
    """The ids of the checks that a condition looks at."""
    names = dissect(text).names
    return frozenset(name[1] for name in names if name[0] == "checks" and len(name) > 1)


def evaluate(text: str, scope: Mapping[str, Value]) -> bool:
    """Does it hold? ConditionError where that cannot be said."""
    if len(text.encode()) > MAX_BYTES:
        raise ConditionError(_undecided(text, f"it has more than {MAX_BYTES} bytes"))
    leaves = MAX_COPIED if "filter" in text else MAX_LEAVES
    values: dict[str, Value] = {}
    try:
        program, used = _compiled(text)
        # Only what it looks at: the package copies all it is given, each time.
        values = {name: bounded(scope[name], leaves=leaves) for name in used & scope.keys()}
        answer: Value = program.execute(values)
    except Exception as error:  # the package raises many kinds, and all of them mean the same
        raise ConditionError(_undecided(text, _why(error, text, {**scope, **values}))) from error
    if isinstance(answer, bool):
        return answer
    reason = f"it gives {_show(answer)}, which is neither true nor false"
    raise ConditionError(_undecided(text, reason))


@lru_cache(maxsize=512)
def _compiled(text: str) -> tuple[cel.Program, frozenset[str]]:
    """The program, and the roots of the names that it looks at."""
    program = cel.compile(text)
    return program, frozenset(program.variables())


def _limits(expression: Expression) -> list[str]:
    problems: list[str] = []
    if expression.signs > MAX_SIGNS:
        problems.append(f"more than {MAX_SIGNS} operators: let a check work out more")
    if expression.depth > MAX_DEPTH:
        problems.append(f"brackets deeper than {MAX_DEPTH}")
    if expression.loop_depth > 1:
        problems.append("a loop inside a loop may take for ever: let a check compare the lists")
    if "map" in expression.loops:
        problems.append("`map()` is not allowed: use exists(), all(), exists_one() or filter()")
    if expression.loose_filter:
        problems.append("filter() must follow a name, as in `checks.pods.names.filter(…)`")
    return problems


def _functions(used: Sequence[str]) -> list[str]:
    words = [name for name in used if name.isidentifier() and not name.startswith("_")]
    return [
        f"there is no function `{name}()`{did_you_mean(name, _FUNCTIONS)}"
        for name in words
        if name not in _FUNCTIONS
    ]


def _syntax(error: ValueError) -> str:
    text = str(error).partition("ERROR: <input>:")[2].partition("\n")[0]
    place, _, problem = text.partition(": ")
    column = place.partition(":")[2]
    problem = problem.removeprefix("Syntax error: ").partition(" expecting {")[0][:_SHOWN]
    problem = problem.replace("mismatched input '<EOF>'", "it ends too early")
    return f"not CEL, at character {column}: {problem}" if column else "not CEL"


def _undecided(text: str, reason: str) -> str:
    shown = text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
    return f"the condition `{shown}` cannot be decided: {reason}"


def _why(error: Exception, text: str, values: Mapping[str, Value]) -> str:
    """The name that is to blame, if one is; else what the package says."""
    nulls: list[str] = []
    for name in dissect(text).names:
        value: Value = values
        for index, part in enumerate(name):
            if isinstance(value, Mapping) and part not in value:
                if name[0] in values or index == 0:
                    before = f"`{'.'.join(name[:index])}` has" if index else "there is"
                    return f"{before} no `{part}`{did_you_mean(part, value)}"
                break
            value = step_into(value, part)
        if value is None:
            nulls.append(f"`{'.'.join(name)}` is null, so nothing is known of it")
    if nulls:
        return "; ".join(nulls)
    first = str(error).partition(". CEL does not")[0].partition("\n")[0]
    return f"{first[:_SHOWN]} ({_operands(text, values)})"


def _operands(text: str, values: Mapping[str, Value]) -> str:
    shown: list[str] = []
    for name in dissect(text).names:
        value: Value = values
        for part in name:
            value = step_into(value, part)
        shown.append(f"{'.'.join(name)} = {_show(value)}")
    return ", ".join(dict.fromkeys(shown)) or "it names no value"


def _show(value: Value) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
