"""What a request is about: its path and query as resource, object, part and verb."""

from collections.abc import Mapping
from dataclasses import dataclass

from healer.lab.api.selector import exact_name

_VERBS: Mapping[str, str] = {
    "GET": "get",
    "HEAD": "get",
    "POST": "create",
    "PUT": "update",
    "PATCH": "patch",
    "DELETE": "delete",
}
TRUE = frozenset({"1", "t", "T", "true", "TRUE", "True"})
"""What the real server takes for true."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The attributes that authorization and routing go by."""

    verb: str
    path: str
    group: str = ""
    version: str = ""
    namespace: str = ""
    plural: str = ""
    name: str = ""
    part: str = ""
    rest: str = ""

    @property
    def is_resource(self) -> bool:
        """Whether the path names a resource and not, say, `/version`."""
        return bool(self.plural)

    @property
    def scope(self) -> str | None:
        """The namespace to list, None for all."""
        return self.namespace or None


def parse(method: str, path: str, query: Mapping[str, str]) -> Target:
    """Read a path; what is no resource becomes a target with a verb and a path only."""
    verb = _VERBS.get(method, method.lower())
    parts = path.strip("/").split("/")
    match parts:
        case ["api", version, *tail] if tail:
            group = ""
        case ["apis", group, version, *tail] if tail:
            pass
        case _:
            return Target(verb=verb, path=path)
    namespace, tail = _namespace(tail)
    plural, name, part = [*tail[:3], "", "", ""][:3]
    asked = name or exact_name(query.get("fieldSelector", ""))
    return Target(
        verb=_refine(verb, query, named=bool(name)),
        path=path,
        group=group,
        version=version,
        namespace=namespace,
        plural=plural,
        name=asked if verb == "get" else name,
        part=part,
        rest="/".join(tail[3:]),
    )


def _namespace(tail: list[str]) -> tuple[str, list[str]]:
    """`namespaces/x/pods` is in x; `namespaces/x` and its parts are about the namespace itself."""
    match tail:
        case ["namespaces", name]:
            return name, ["namespaces", name]
        case ["namespaces", name, "status" | "finalize" as part]:
            return name, ["namespaces", name, part]
        case ["namespaces", name, *rest] if rest:
            return name, rest
        case _:
            return "", tail


def _refine(verb: str, query: Mapping[str, str], *, named: bool) -> str:
    if named:
        return verb
    if verb == "get":
        return "watch" if query.get("watch", "") in TRUE else "list"
    return "deletecollection" if verb == "delete" else verb
