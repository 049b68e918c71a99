"""Reads the few objects that kubectl sends in protobuf only: no library and no code generation.

Field numbers are those of the Kubernetes API's generated.proto files.
"""

import base64
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any

from healer.lab.api.value import section
from healer.lab.contract import Object

_MAGIC = b"k8s\0"
_VARINT, _BYTES = 0, 2
_FIXED = {1: 8, 5: 4}

Read = Callable[[Any], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Field:
    """Its JSON name and how its value is read; `many`: a list, `pairs`: a map."""

    name: str
    read: Read
    many: bool = False
    pairs: bool = False


Schema = Mapping[int, _Field]


def _data(value: object) -> bytes:
    if not isinstance(value, bytes):
        raise ValueError("a number stands where text or a message should")
    return value


def _text(value: object) -> str:
    return _data(value).decode()


def _base64(value: object) -> str:
    return base64.b64encode(_data(value)).decode()


def _number(value: object) -> int:
    if not isinstance(value, int):
        raise ValueError("text stands where a number should")
    return value


def _flag(value: object) -> bool:
    return bool(_number(value))


def _message(schema: Schema, value: object) -> Object:
    found: Object = {}
    for number, raw in _fields(_data(value)):
        field = schema.get(number)
        if field is None:
            continue
        if field.pairs:
            pair = dict(_fields(_data(raw)))
            section(found, field.name)[_text(pair.get(1, b""))] = field.read(pair.get(2, b""))
        elif field.many:
            found.setdefault(field.name, []).append(field.read(raw))
        elif (read := field.read(raw)) != "":
            found[field.name] = read
    return found


def _fields(data: bytes) -> Iterator[tuple[int, Any]]:
    """Number and raw value of each field, in order."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        number, wire = tag >> 3, tag & 7
        if wire == _VARINT:
            value, at = _varint(data, at)
            yield number, value
            continue
        if wire == _BYTES:
            size, at = _varint(data, at)
        elif wire in _FIXED:
            size = _FIXED[wire]
        else:
            raise ValueError(f"unknown wire type {wire}")
        if at + size > len(data):
            raise ValueError("the message ends too early")
        yield number, data[at : at + size]
        at += size


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise ValueError("the message ends inside a number")
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def _schema(**numbers: int) -> Schema:
    """Fields that are plain text."""
    return {number: _Field(name=name, read=_text) for name, number in numbers.items()}


_META: Schema = {
    **_schema(name=1, generateName=2, namespace=3, uid=5, resourceVersion=6),
    11: _Field(name="labels", read=_text, pairs=True),
    12: _Field(name="annotations", read=_text, pairs=True),
}
_METADATA = _Field(name="metadata", read=partial(_message, _META))
_ATTRIBUTES = _schema(namespace=1, verb=2, group=3, version=4, resource=5, subresource=6, name=7)
_REVIEW: Schema = {
    1: _Field(name="resourceAttributes", read=partial(_message, _ATTRIBUTES)),
    2: _Field(name="nonResourceAttributes", read=partial(_message, _schema(path=1, verb=2))),
}
_DELETE: Schema = {
    1: _Field(name="gracePeriodSeconds", read=_number),
    2: _Field(name="preconditions", read=partial(_message, _schema(uid=1, resourceVersion=2))),
    **_schema(propagationPolicy=4),
    5: _Field(name="dryRun", read=_text, many=True),
}
_RULE: Schema = {
    number: _Field(name=name, read=_text, many=True)
    for number, name in enumerate(
        ("verbs", "apiGroups", "resources", "resourceNames", "nonResourceURLs"), start=1
    )
}
_ROLE: Schema = {
    1: _METADATA,
    2: _Field(name="rules", read=partial(_message, _RULE), many=True),
}
_SUBJECT = _schema(kind=1, apiGroup=2, name=3, namespace=4)
_BINDING: Schema = {
    1: _METADATA,
    2: _Field(name="subjects", read=partial(_message, _SUBJECT), many=True),
    3: _Field(name="roleRef", read=partial(_message, _schema(apiGroup=1, kind=2, name=3))),
}
_SCHEMAS: Mapping[str, Schema] = MappingProxyType(
    {
        "Namespace": {1: _METADATA},
        "ServiceAccount": {1: _METADATA},
        "ConfigMap": {
            1: _METADATA,
            2: _Field(name="data", read=_text, pairs=True),
            3: _Field(name="binaryData", read=_base64, pairs=True),
            4: _Field(name="immutable", read=_flag),
        },
        "Secret": {
            1: _METADATA,
            2: _Field(name="data", read=_base64, pairs=True),
            **_schema(type=3),
            4: _Field(name="stringData", read=_text, pairs=True),
            5: _Field(name="immutable", read=_flag),
        },
        "SelfSubjectAccessReview": {
            1: _METADATA,
            2: _Field(name="spec", read=partial(_message, _REVIEW)),
        },
        "Role": _ROLE,
        "ClusterRole": _ROLE,
        "RoleBinding": _BINDING,
        "ClusterRoleBinding": _BINDING,
        "DeleteOptions": _DELETE,
        "Eviction": {
            1: _METADATA,
            2: _Field(name="deleteOptions", read=partial(_message, _DELETE)),
        },
    }
)
_TYPE = _schema(apiVersion=1, kind=2)


def decode(data: bytes) -> Object:
    """The object in a body; LookupError for a kind not known here, ValueError for nonsense."""
    if not data.startswith(_MAGIC):
        raise ValueError("it does not begin as a Kubernetes object does")
    envelope = dict(_fields(data[len(_MAGIC) :]))
    about = _message(_TYPE, envelope.get(1, b""))
    schema = _SCHEMAS.get(str(about.get("kind")))
    if schema is None:
        raise LookupError(f"{about.get('kind')} is understood in JSON only")
    return about | _message(schema, envelope.get(2, b""))
