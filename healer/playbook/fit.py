"""Whether a playbook fits the services of this house: they exist, and have the numbers it names."""

from collections.abc import Iterator, Mapping

from healer.errors import Fault
from healer.model.outcome import Json
from healer.model.service import Service
from healer.playbook.compose import At
from healer.playbook.document import Document
from healer.playbook.expression import dissect
from healer.playbook.nearest import did_you_mean
from healer.playbook.render import template_names

Services = Mapping[str, Service]

_SPEC: At = ("spec",)
_DEEP_ENOUGH = 3  # service.thresholds.x


def check_fit(document: Document, services: Services) -> Iterator[Fault]:
    """Services that are not there, thresholds and values that a service lacks."""
    written = document.sub((*_SPEC, "services"))
    named = written if isinstance(written, list) else []
    for index, name in enumerate(named):
        if isinstance(name, str) and name not in services:
            message = f"there is no service `{name}`{did_you_mean(name, services)}"
            yield document.fault((*_SPEC, "services", index), message)
    concerned = [services[name] for name in named if isinstance(name, str) and name in services]
    if not named:
        concerned = list(services.values())
    for at, name in _names(document):
        if len(name) >= _DEEP_ENOUGH and name[0] == "service" and name[1] in _KINDS:
            yield from _lacking(document, at, name, concerned, every=bool(named))


def _lacking(
    document: Document, at: At, name: tuple[str, ...], services: list[Service], *, every: bool
) -> Iterator[Fault]:
    """A playbook for named services needs it of each; one for all services, of at least one."""
    known = [(service, _KINDS[name[1]](service)) for service in services]
    lacking = [(service, has) for service, has in known if name[2] not in has]
    if not lacking or (not every and len(lacking) < len(known)):
        return
    service, has = lacking[0]
    message = f"`{'.'.join(name[:3])}`: the service `{service.name}` has no such entry"
    yield document.fault(at, f"{message} under `{name[1]}`{did_you_mean(name[2], has)}")


def _thresholds(service: Service) -> Mapping[str, object]:
    return service.thresholds


def _values(service: Service) -> Mapping[str, object]:
    return service.values


_KINDS = {"thresholds": _thresholds, "values": _values}


def _names(document: Document) -> Iterator[tuple[At, tuple[str, ...]]]:
    """Every dotted name in conditions and templates, and where it stands."""
    conditions: list[At] = [(*_SPEC, "verify", "until"), (*_SPEC, "escalate", "when")]
    lists: list[At] = [(*_SPEC, "guards"), (*_SPEC, "diagnose")]
    for at, _ in document.rows((*_SPEC, "remedies")):
        conditions.append((*at, "when"))
        lists.append((*at, "steps"))
    for at in conditions:
        text = document.sub(at)
        yield from ((at, name) for name in dissect(text).names) if isinstance(text, str) else ()
    for at in (row for one in lists for row, _ in document.rows(one)):
        params: Json = document.sub((*at, "with"))
        yield from (((*at, "with"), name) for name in template_names(params))
