"""Why a playbook applies to an alert, or does not: which matcher failed, and on which value."""

from collections.abc import Mapping

from healer.model.alert import Labels
from healer.model.matcher import Matcher, all_match
from healer.model.playbook import Playbook


def why(playbook: Playbook, service: str, labels: Labels, *, winner: Playbook | None) -> str:
    """One sentence on one playbook. `winner` is the one that starts, if any does."""
    if playbook.services and service not in playbook.services:
        return f"it is for {', '.join(playbook.services)}, not for {service}"
    for alternative in playbook.match:
        if all_match(alternative, labels):
            holds = ", ".join(map(str, alternative))
            return f"{holds} holds{_beaten(playbook, service, labels, winner)}"
    return "; ".join(dict.fromkeys(what_fails(one, labels) for one in playbook.match))


def _beaten(playbook: Playbook, service: str, labels: Labels, winner: Playbook | None) -> str:
    if winner is None or playbook is winner:
        return ""
    level = playbook.specificity(service, labels) == winner.specificity(service, labels)
    how = "comes first by name" if level else "is more specific"
    return f", but `{winner.name}` {how}"


def what_fails(alternative: tuple[Matcher, ...], labels: Labels) -> str:
    """The first matcher that does not hold, and the value it does not hold for."""
    failing = next((one for one in alternative if not one.matches(labels)), None)
    if failing is None:
        return "it has no matchers"
    return f"{failing} fails: {_value(failing.label, labels)}"


def _value(label: str, labels: Mapping[str, str]) -> str:
    if label not in labels:
        return f"the alert has no label {label}"
    return f'{label} is "{labels[label]}"'
