"""Label and field selectors: from a query's text or from an object to a predicate."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from healer.lab.api.failure import ApiError, bad_request
from healer.lab.api.value import dig, fields, is_list, is_map, items
from healer.lab.contract import Object

Labels = Mapping[str, str]
LabelTest = Callable[[Labels], bool]
Predicate = Callable[[Object], bool]

_KEY = r"[A-Za-z0-9]([A-Za-z0-9._/-]*[A-Za-z0-9])?"
_SET = re.compile(rf"^(?P<key>{_KEY})\s+(?P<op>in|notin)\s*\((?P<values>[^()]*)\)$")
_EQUAL = re.compile(rf"^(?P<key>{_KEY})\s*(?P<op>==|=|!=)\s*(?P<value>[A-Za-z0-9._-]*)$")
_ORDER = re.compile(rf"^(?P<key>{_KEY})\s*(?P<op>[<>])\s*(?P<value>-?\d+)$")
_EXISTS = re.compile(rf"^(?P<no>!?)\s*(?P<key>{_KEY})$")

OPERATORS = frozenset({"In", "NotIn", "Exists", "DoesNotExist"})
"""Of matchExpressions."""

_FIELD_DEFAULTS: Mapping[str, str] = {"spec.unschedulable": "false"}
_COMMON_FIELDS = frozenset({"metadata.name", "metadata.namespace"})
_FIELDS: Mapping[str, frozenset[str]] = {
    "pods": frozenset({
        "spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName",
        "status.phase", "status.podIP", "status.nominatedNodeName",
    }),
    "events": frozenset({
        "involvedObject.kind", "involvedObject.namespace", "involvedObject.name",
        "involvedObject.uid", "involvedObject.apiVersion", "involvedObject.resourceVersion",
        "involvedObject.fieldPath", "reason", "reportingComponent", "source", "type",
    }),
    "nodes": frozenset({"spec.unschedulable"}),
    "namespaces": frozenset({"status.phase"}),
    "secrets": frozenset({"type"}),
    "replicasets": frozenset({"status.replicas"}),
}  # fmt: skip


def parse_labels(text: str) -> LabelTest:
    """The label selector of a query, set-based terms included; all of its terms must hold."""
    tests = [_label_term(term) for term in _split(text)]
    return lambda labels: all(test(labels) for test in tests)


def _split(text: str) -> list[str]:
    """Terms are parted by commas, but for those inside parentheses."""
    terms = re.split(r",(?![^()]*\))", text) if text.strip() else []
    return [term.strip() for term in terms]


def _label_term(term: str) -> LabelTest:
    if found := _SET.match(term):
        values = {value.strip() for value in found["values"].split(",")}
        return _in(found["key"], values, negate=found["op"] == "notin")
    if found := _EQUAL.match(term):
        return _in(found["key"], {found["value"]}, negate=found["op"] == "!=")
    if found := _ORDER.match(term):
        return _order(found["key"], int(found["value"]), greater=found["op"] == ">")
    if found := _EXISTS.match(term):
        key, wanted = found["key"], not found["no"]
        return lambda labels: (key in labels) is wanted
    raise bad_request(f"unable to parse requirement: found '{term}' in the label selector")


def _in(key: str, values: set[str], *, negate: bool) -> LabelTest:
    if negate:
        return lambda labels: key not in labels or labels[key] not in values
    return lambda labels: key in labels and labels[key] in values


def _order(key: str, bound: int, *, greater: bool) -> LabelTest:
    def holds(labels: Labels) -> bool:
        try:
            value = int(labels.get(key, ""))
        except ValueError:
            return False
        return value > bound if greater else value < bound

    return holds


def match_labels(selector: Any) -> LabelTest:
    """A LabelSelector of an object: matchLabels and matchExpressions; null matches nothing."""
    if not is_map(selector):
        return lambda _: False
    wanted = fields(selector, "matchLabels")
    tests = [_in(key, {value}, negate=False) for key, value in wanted.items()]
    tests += [_expression(one) for one in items(selector, "matchExpressions")]
    return lambda labels: all(test(labels) for test in tests)


def match_map(selector: Any) -> LabelTest:
    """A plain map of labels, as Services have it; an empty one matches nothing."""
    if not is_map(selector) or not selector:
        return lambda _: False
    return match_labels({"matchLabels": selector})


def _expression(one: Object) -> LabelTest:
    key, values = str(one.get("key")), set(items(one, "values"))
    match one.get("operator"):
        case "In":
            return _in(key, values, negate=False)
        case "NotIn":
            return _in(key, values, negate=True)
        case "Exists":
            return lambda labels: key in labels
        case "DoesNotExist":
            return lambda labels: key not in labels
        case _:
            return lambda _: False  # never stored through the API, which refuses it


def format_labels(selector: Any) -> str:
    """A LabelSelector as the text of a query, as Scale's status shows it."""
    wanted = fields(selector, "matchLabels")
    terms = [f"{key}={value}" for key, value in sorted(wanted.items())]
    for one in items(selector, "matchExpressions"):
        match one.get("operator"), one.get("values"):
            case "Exists", _:
                terms.append(one["key"])
            case "DoesNotExist", _:
                terms.append(f"!{one['key']}")
            case operator, values if is_list(values):
                terms.append(f"{one['key']} {str(operator).lower()} ({','.join(sorted(values))})")
            case _:
                pass
    return ",".join(terms)


def parse_fields(plural: str, text: str) -> Predicate:
    """The field selector of a query; only the fields that the real server knows."""
    tests = [_field_term(plural, term.strip()) for term in text.split(",") if term.strip()]
    return lambda obj: all(test(obj) for test in tests)


def _field_term(plural: str, term: str) -> Predicate:
    found = re.match(r"^([A-Za-z0-9.]+)(==|=|!=)(.*)$", term)
    if not found:
        raise bad_request(f"invalid selector: '{term}'; can't understand '{term}'")
    field, operator, value = found.groups()
    if field not in _COMMON_FIELDS | _FIELDS.get(plural, frozenset()):
        raise _unknown_field(field)
    path, wanted = field.split("."), operator != "!="
    return lambda obj: (_field(obj, field, path) == value) is wanted


def _field(obj: Object, field: str, path: list[str]) -> str:
    value = dig(obj, *path)
    if field == "source":
        value = dig(obj, "source", "component")
    if isinstance(value, bool):
        return str(value).lower()
    return _FIELD_DEFAULTS.get(field, "") if value is None else str(value)


def _unknown_field(field: str) -> ApiError:
    return bad_request(f"field label not supported: {field}")


def exact_name(text: str) -> str:
    """The one name that a field selector asks for, as RBAC's resourceNames want it; or ''."""
    found = re.search(r"(?:^|,)metadata\.name==?([^,]+)", text)
    return found[1] if found else ""
