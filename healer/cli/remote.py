"""The daemon as the command line sees it: its HTTP API. Whatever goes wrong is told in one line."""

import functools
import http.client
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from typing import Any, Concatenate, ParamSpec, TypeVar
from urllib.parse import quote, urlencode, urlsplit

import click

from healer.kit.retry import delays

Document = Mapping[str, Any]
P = ParamSpec("P")
R = TypeVar("R")

TIMEOUT = 10.0
SILENCE = 60.0
"""A stream beats more often than this; when it does not, the connection is dead."""
RETRIES = 10


class Remote:
    """One daemon. Every method raises ClickException (exit 1) where it is not done."""

    def __init__(self, *, server: str, token: str) -> None:
        parts = urlsplit(server)
        try:
            port = parts.port
        except ValueError:
            port = -1
        if parts.scheme not in ("http", "https") or not parts.hostname or port == -1:
            message = f"--server must be like http://127.0.0.1:8080, not {server!r}"
            raise click.UsageError(message)
        if not (token.isascii() and token.isprintable()):
            message = "the token must be plain printable text"
            raise click.UsageError(message)
        self._url = server.rstrip("/")
        self._secure = parts.scheme == "https"
        self._host, self._port, self._base = parts.hostname, port, parts.path.rstrip("/")
        self._token = token

    def get(self, path: str, **query: str | int) -> Document:
        """The answer to a question."""
        given = {name: content for name, content in query.items() if content != ""}
        return self._ask("GET", f"{path}?{urlencode(given)}" if given else path, None)

    def post(self, path: str, fields: Document) -> Document:
        """What came of an order."""
        return self._ask("POST", path, fields)

    def events(self, path: str, *, after: int) -> Iterator[Document]:
        """Entries as they happen; a lost connection is taken up again where it broke off."""
        waits = delays(first=timedelta(seconds=0.2), cap=timedelta(seconds=5))
        lost = 0
        while lost < RETRIES:
            try:
                for document in self._stream(path, after):
                    if document is None:
                        return
                    after, lost = int(document["seq"]), 0
                    yield document
            except (OSError, http.client.HTTPException) as error:
                click.echo(f"the stream broke off ({_said(error)}); trying again", err=True)
            lost += 1
            threading.Event().wait(next(waits).total_seconds())
        message = f"the stream from {self._url} broke off {RETRIES} times"
        raise click.ClickException(message)

    def _stream(self, path: str, after: int) -> Iterator[Document | None]:
        """Documents, and None at the proper end."""
        headers = {"Accept": "text/event-stream", "Last-Event-ID": str(after)}
        connection = self._connection(SILENCE)
        try:
            connection.request("GET", self._base + path, headers=self._headers() | headers)
            response = connection.getresponse()
            if response.status == 204:
                yield None
                return
            if response.status != 200:
                raise click.ClickException(_refusal(response.status, response.read()))
            for line in response:
                if line.startswith(b"data: {}"):
                    yield None
                elif line.startswith(b"data: "):
                    yield json.loads(line[6:])
        finally:
            connection.close()

    def _ask(self, method: str, path: str, fields: Document | None) -> Document:
        body = None if fields is None else json.dumps(fields)
        connection = self._connection(TIMEOUT)
        try:
            connection.request(method, self._base + path, body=body, headers=self._headers())
            response = connection.getresponse()
            content = response.read()
        except (OSError, http.client.HTTPException) as error:
            message = f"cannot reach {self._url}: {_said(error)}"
            raise click.ClickException(message) from error
        finally:
            connection.close()
        if response.status != 200:
            raise click.ClickException(_refusal(response.status, content))
        return _document(content, self._url)

    def _connection(self, timeout: float) -> http.client.HTTPConnection:
        kind = http.client.HTTPSConnection if self._secure else http.client.HTTPConnection
        return kind(self._host, self._port, timeout=timeout)

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._token}"} if self._token else {}


def connected(command: Callable[Concatenate[Remote, P], R]) -> Callable[P, R]:
    """A decorator: gives a command `--server`, the token, and the daemon as first argument."""

    @click.option(
        "--server",
        envvar="HEALER_SERVER",
        default="http://127.0.0.1:8080",
        show_default=True,
        show_envvar=True,
        help="Where the daemon listens.",
    )
    @click.option(
        "--token",
        envvar="HEALER_TOKEN",
        default="",
        show_envvar=True,
        help="An operator's token; better in the environment, where ps does not show it.",
    )
    @functools.wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        server, token = str(kwargs.pop("server")), str(kwargs.pop("token"))
        return command(Remote(server=server, token=token), *args, **kwargs)

    return wrapped


def incident_path(incident: str, tail: str = "") -> str:
    """Where an incident is found in the API."""
    return f"/api/v1/incidents/{quote(incident, safe='')}{tail}"


def _document(content: bytes, url: str) -> Document:
    try:
        document: object = json.loads(content)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        message = f"{url} does not answer like healer; is it the right --server?"
        raise click.ClickException(message)
    return document  # pyright: ignore[reportUnknownVariableType] - any JSON object


def _refusal(status: int, content: bytes) -> str:
    try:
        said = str(json.loads(content)["error"])
    except (ValueError, KeyError, TypeError):
        said = "no reason given"
    hint = " (set HEALER_TOKEN)" if status == 401 else ""
    return f"{said}{hint} [HTTP {status}]"


def _said(error: Exception) -> str:
    return str(error) or type(error).__name__
