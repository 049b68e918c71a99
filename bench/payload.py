"""Bodies as Alertmanager's webhook sends them (version 4); all alerts of all requests differ."""

import json
from collections.abc import Callable

Body = Callable[[int], bytes]

_MARK = "MARKMARK"
_DIGITS = len(_MARK)


STORM = "chat"
"""The service that all alerts are about, unless each request has one of its own."""


def service(number: int) -> str:
    """The service of a request that has one of its own."""
    return f"{STORM}-{number:0{_DIGITS}x}"


def bodies(alerts: int, *, apart: bool = False) -> Body:
    """A maker of bodies of that many alerts: the same size for each request number.

    `apart`: each request is about a service of its own.
    """
    webhook = _webhook(alerts, f"{STORM}-{_MARK}" if apart else STORM)
    template = json.dumps(webhook, separators=(",", ":")).encode()
    mark = _MARK.encode()
    return lambda number: template.replace(mark, b"%0*x" % (_DIGITS, number))


def _webhook(alerts: int, about: str) -> dict[str, object]:
    return {
        "version": "4",
        "groupKey": '{}:{alertname="TimeToFirstTokenHigh"}',
        "truncatedAlerts": 0,
        "status": "firing",
        "receiver": "healer",
        "groupLabels": {"alertname": "TimeToFirstTokenHigh"},
        "commonLabels": {"alertname": "TimeToFirstTokenHigh", "service": about},
        "commonAnnotations": {},
        "externalURL": "http://alertmanager:9093",
        "alerts": [_alert(number, about) for number in range(alerts)],
    }


def _alert(number: int, about: str) -> dict[str, object]:
    return {
        "status": "firing",
        "labels": {
            "alertname": "TimeToFirstTokenHigh",
            "severity": "P1",
            "namespace": "production",
            "service": about,
            "cluster": "eu-1",
            "job": "inference",
            "pod": f"chat-{_MARK}-{number}",
        },
        "annotations": {
            "summary": "The time to the first token is too high",
            "description": "The 95th percentile has been above two seconds for five minutes",
            "runbook_url": "https://runbooks.example.org/inference/latency",
        },
        "startsAt": "2026-01-01T12:00:00.123Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus:9090/graph?g0.expr=ttft",
        "fingerprint": f"{_MARK}{number:08x}",
    }
