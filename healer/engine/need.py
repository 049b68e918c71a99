"""Which rights playbooks need in the Kubernetes API, computed before any of them runs. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel, ValidationError

from healer.action.contract import Action
from healer.check.contract import Check
from healer.errors import PermanentError
from healer.model.effect import Permission
from healer.model.event import IncidentId
from healer.model.incident import Incident
from healer.model.outcome import Json
from healer.model.playbook import Playbook
from healer.model.service import Service, parse_target
from healer.playbook.render import render, template_names
from healer.playbook.scope import Scope, build_scope

LATER = "known-only-later"
"""In place of a value that only an alert, a finding or a step will tell."""

_WHENEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """The actions and checks by name; they are asked for their rights, and run nothing."""

    actions: Mapping[str, Action[Any]]
    checks: Mapping[str, Check[Any]]


def needs(
    playbooks: Iterable[Playbook], services: Mapping[str, Service], words: Words
) -> frozenset[Permission]:
    """All that is needed to diagnose, act, settle, undo and verify; and nothing more.

    An object whose name only the alert will tell can be any of its kind, but never in another
    namespace than that of its service: there healer will be refused.
    """
    return frozenset(
        replace(right, names=()) if LATER in right.names else right
        for playbook in playbooks
        for service in _services(playbook, services)
        for right in _rights(playbook, service, words)
    )


def _services(playbook: Playbook, services: Mapping[str, Service]) -> Iterator[Service]:
    names = playbook.services or services
    return (services[name] for name in names if name in services)


def _rights(playbook: Playbook, service: Service, words: Words) -> Iterator[Permission]:
    scope = build_scope(Incident(id=IncidentId("")), service, now=_WHENEVER)
    namespace = _namespace(playbook, service, scope)
    for spec in playbook.diagnose:
        check = words.checks[spec.check]
        params = _fill(spec.params, check.params, scope)
        yield from check.permissions(params, namespace=namespace)
    for remedy in playbook.remedies:
        for step in remedy.steps:
            action = words.actions[step.action]
            params = _fill(step.params, action.params, scope)
            yield from action.permissions(params, namespace=namespace)


def _namespace(playbook: Playbook, service: Service, scope: Scope) -> str:
    try:
        target = parse_target(str(_known(playbook.target or "{{ service.workload }}", scope)))
    except ValueError:
        return service.namespace
    return service.namespace if LATER in target.namespace else target.namespace


def _fill(params: Mapping[str, Json], model: type[BaseModel], scope: Scope) -> BaseModel:
    """The parameters as far as they are known; what is not, need not fit."""
    known: dict[str, Any] = {name: _known(value, scope) for name, value in params.items()}
    try:
        return model.model_validate(known)
    except ValidationError:
        return model.model_construct(**known)


def _known(value: Json, scope: Scope) -> Json:
    match value:
        case str():
            return _text(value, scope)
        case Mapping():
            return {name: _known(item, scope) for name, item in value.items()}
        case list():
            return [_known(item, scope) for item in value]
        case _:
            return value


def _text(text: str, scope: Scope) -> Json:
    """A target is all of one text, so one name that is not known leaves the rest as it is."""
    for name in template_names(text):
        if name[0] != "service":
            return _blank(text)
    try:
        return render(text, scope)
    except PermanentError:
        return LATER


def _blank(text: str) -> str:
    """`production/pod/{{ alert.labels.pod }}` keeps its namespace; all else is known later."""
    parts = text.split("/")
    if len(parts) == 3 and "{{" not in parts[0]:
        return f"{parts[0]}/{LATER}/{LATER}"
    return LATER
