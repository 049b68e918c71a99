"""One request on its way through the server: who, what, the query and the body."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
import yaml
from aiohttp import web

from healer.lab.api import protobuf
from healer.lab.api.failure import ApiError, bad_request, no_such_path
from healer.lab.api.rbac import Authorizer, Identity
from healer.lab.api.resource import Resource
from healer.lab.api.store import Store
from healer.lab.api.target import Target
from healer.lab.api.value import is_map
from healer.lab.contract import Node, Object


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What every verb is given."""

    store: Store
    node: Node
    authorizer: Authorizer
    who: Identity
    target: Target
    resource: Resource
    request: web.Request

    @property
    def query(self) -> Mapping[str, str]:
        """The query of the URL."""
        return self.request.query

    @property
    def namespace(self) -> str:
        """Where the object is stored; '' for what belongs to the cluster."""
        return self.target.namespace if self.resource.namespaced else ""

    @property
    def dry_run(self) -> bool:
        """Whether nothing is to be stored."""
        return check_dry_run(self.request.query.getall("dryRun", []))

    @property
    def content_type(self) -> str:
        """Of the body, without parameters."""
        return self.request.content_type

    async def body(self) -> Any:
        """The body as JSON, or as YAML where it says so; None where there is none."""
        raw = await self.request.read()
        if not raw.strip():
            return None
        if "protobuf" in self.content_type:
            return _from_protobuf(raw)
        try:
            return orjson.loads(raw)
        except orjson.JSONDecodeError as error:
            if "yaml" not in self.content_type:
                raise bad_request(f"the body is not JSON: {error}") from error
        try:
            return yaml.safe_load(raw)
        except yaml.YAMLError as error:
            raise bad_request(f"error decoding YAML: {error}") from error

    async def object(self) -> Object:
        """The body as an object."""
        found = await self.body()
        if not is_map(found):
            raise bad_request("the body is not an object")
        return found

    async def options(self) -> Object:
        """The body as options that may be left out."""
        found = await self.body()
        return found if is_map(found) else {}

    def part(self) -> None:
        """Raise unless the resource has the part that the path names."""
        if self.target.part and self.resource.subresource(self.target.part) is None:
            raise no_such_path()


def _from_protobuf(raw: bytes) -> Object:
    try:
        return protobuf.decode(raw)
    except LookupError as error:
        message = f"the body of the request was in an unknown format: {error.args[0]}"
        raise ApiError(415, "UnsupportedMediaType", message) from error
    except ValueError as error:
        raise bad_request(f"the body is not protobuf: {error}") from error


def check_dry_run(values: list[str]) -> bool:
    """True for All, false for nothing; anything else is refused."""
    if not values or values == [""]:
        return False
    if values != ["All"]:
        message = f'Invalid value: {values}: supported values: "All"'
        raise ApiError(422, "Invalid", f"dryRun: {message}")
    return True


def answer(
    body: Object, *, code: int = 200, headers: Mapping[str, str] | None = None
) -> web.Response:
    """JSON."""
    return web.Response(
        body=orjson.dumps(body) + b"\n",
        status=code,
        headers=headers,
        content_type="application/json",
    )
