"""SelfSubjectAccessReview: may I? Answered by the same code that allows and refuses."""

from aiohttp import web

from healer.lab.api.call import Call, answer
from healer.lab.api.failure import invalid, required
from healer.lab.api.target import Target
from healer.lab.api.value import fields, is_map, section
from healer.lab.contract import Object


async def review(call: Call) -> web.Response:
    """POST of a review."""
    body = await call.object()
    spec = section(body, "spec")
    allowed = call.authorizer.allows(call.who, _target(spec))
    body |= {"kind": "SelfSubjectAccessReview", "apiVersion": "authorization.k8s.io/v1"}
    section(body, "metadata").setdefault("creationTimestamp", None)
    body["status"] = {"allowed": allowed} | ({} if allowed else {"reason": "no RBAC rule allows"})
    return answer(body, code=201)


def _target(spec: Object) -> Target:
    asked = spec.get("nonResourceAttributes")
    if is_map(asked):
        return Target(verb=str(asked.get("verb", "")), path=str(asked.get("path", "")))
    if not is_map(spec.get("resourceAttributes")):
        fault = required("spec.resourceAttributes", "or nonResourceAttributes")
        raise invalid("SelfSubjectAccessReview", "", [fault], group="authorization.k8s.io")
    found = fields(spec, "resourceAttributes")
    plural, _, part = str(found.get("resource", "")).partition("/")
    return Target(
        verb=str(found.get("verb", "")),
        path="",
        group=str(found.get("group", "")),
        version=str(found.get("version", "")),
        namespace=str(found.get("namespace", "")),
        plural=plural,
        name=str(found.get("name", "")),
        part=str(found.get("subresource", "")) or part,
    )
