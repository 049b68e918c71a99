"""The description of the HTTP API, by hand: small enough to be read, and tested to be whole."""

from collections.abc import Mapping

_NOTHING: tuple[str, ...] = ()
_TEXT = {"type": "string"}
_REASON = {"reason": _TEXT}
_SERVICE = {"service": _TEXT}


def _answers(*codes: int) -> dict[str, object]:
    words = {
        200: "Done.",
        204: "Nothing more will come.",
        400: "Never understandable.",
        401: "Who are you?",
        403: "You may not.",
        404: "No such incident.",
        409: "Understood and refused; `reason` says why.",
        413: "Too large.",
        503: "Not recorded; try again.",
    }
    return {str(code): {"description": words[code]} for code in codes}


def _get(summary: str, *query: str, answers: tuple[int, ...] = (200, 401)) -> dict[str, object]:
    parameters = [{"name": name, "in": "query", "schema": _TEXT} for name in query]
    return {"summary": summary, "parameters": parameters, "responses": _answers(*answers)}


def _post(
    summary: str, fields: Mapping[str, object], *, required: tuple[str, ...] = ()
) -> dict[str, object]:
    schema = {"type": "object", "properties": dict(fields), "required": list(required)}
    return {
        "summary": summary,
        "requestBody": {"content": {"application/json": {"schema": schema}}},
        "responses": _answers(200, 400, 401, 403, 404, 409, 503),
    }


def _open(operation: dict[str, object], *, by: str | None = None) -> dict[str, object]:
    return {**operation, "security": [{by: _NOTHING}] if by else _NOTHING}


def _of_incident(**operations: object) -> dict[str, object]:
    parameter = {"name": "incident", "in": "path", "required": True, "schema": _TEXT}
    return {"parameters": [parameter], **operations}


_ONE = "/api/v1/incidents/{incident}"

DOCUMENT: Mapping[str, object] = {
    "openapi": "3.1.0",
    "info": {"title": "healer", "version": "v1"},
    "security": [{"operator": _NOTHING}],
    "components": {
        "securitySchemes": {
            "operator": {"type": "http", "scheme": "bearer"},
            "alertmanager": {"type": "http", "scheme": "bearer"},
            "slack": {"type": "apiKey", "in": "header", "name": "X-Slack-Signature"},
        }
    },
    "paths": {
        "/webhook/alertmanager": {
            "post": _open(
                {
                    "summary": "Alertmanager's webhook, version 4. 200 means it is on disk.",
                    "requestBody": {"content": {"application/json": {"schema": {}}}},
                    "responses": _answers(200, 400, 401, 413, 503),
                },
                by="alertmanager",
            )
        },
        "/slack/interactions": {
            "post": _open(
                {
                    "summary": "Buttons under notices.",
                    "responses": _answers(200, 400, 401, 403, 404, 409, 503),
                },
                by="slack",
            )
        },
        "/healthz": {"get": _open(_get("Is it alive?", answers=(200,)))},
        "/readyz": {"get": _open(_get("Can it record?", answers=(200, 503)))},
        "/metrics": {"get": _open(_get("Metrics for Prometheus.", answers=(200,)))},
        "/api/v1/incidents": {
            "get": _get(
                "Incidents, newest first.",
                *("state", "service", "limit", "cursor"),
                answers=(200, 400, 401),
            )
        },
        _ONE: _of_incident(get=_get("All that is known of one.", answers=(200, 401, 404))),
        f"{_ONE}/timeline": _of_incident(
            get=_get(
                "Its entries; with Accept: text/event-stream as events that go on.",
                "after",
                answers=(200, 204, 400, 401, 404, 503),
            )
        ),
        f"{_ONE}/approve": _of_incident(post=_post("Let it go on.", {})),
        f"{_ONE}/deny": _of_incident(post=_post("Say no.", _REASON, required=("reason",))),
        f"{_ONE}/cancel": _of_incident(post=_post("Take over.", _REASON, required=("reason",))),
        "/api/v1/pause": {
            "post": _post("Stop remediation.", _REASON | _SERVICE, required=("reason",))
        },
        "/api/v1/resume": {"post": _post("Go on.", _SERVICE)},
        "/api/v1/status": {"get": _get("Is it ready, and is it paused?")},
        "/api/v1/playbooks": {"get": _get("The playbooks in force.")},
        "/api/v1/openapi.json": {"get": _get("This document.")},
    },
}
