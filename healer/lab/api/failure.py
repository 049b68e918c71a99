"""Refusals as a Kubernetes API server words them: an exception that carries a `Status` body."""

from collections.abc import Sequence

from healer.lab.api.resource import Resource
from healer.lab.contract import Object


class ApiError(Exception):
    """A refusal, with the HTTP code and the Status that the caller gets."""

    def __init__(
        self, code: int, reason: str, message: str, *, details: Object | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.details = details

    def status(self) -> Object:
        """The body of the answer."""
        body: Object = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": str(self),
        }
        if self.reason:
            body["reason"] = self.reason
        if self.details:
            body["details"] = self.details
        return {**body, "code": self.code}


def success(*, code: int = 200, details: Object | None = None) -> Object:
    """The Status of something done that has no object to show."""
    body: Object = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}
    if details:
        body["details"] = details
    return {**body, "code": code} if code != 200 else body


def details_of(resource: Resource, name: str) -> Object:
    """Which object a refusal is about."""
    found: Object = {"name": name} if name else {}
    if resource.group:
        found["group"] = resource.group
    return {**found, "kind": resource.plural}


def not_found(resource: Resource, name: str) -> ApiError:
    """There is no such object."""
    message = f'{resource.qualified} "{name}" not found'
    return ApiError(404, "NotFound", message, details=details_of(resource, name))


def no_such_path() -> ApiError:
    """The path names no resource."""
    message = "the server could not find the requested resource"
    return ApiError(404, "NotFound", message, details={})


def method_not_allowed() -> ApiError:
    """The resource does not know the verb."""
    message = "the server does not allow this method on the requested resource"
    return ApiError(405, "MethodNotAllowed", message, details={})


def already_exists(resource: Resource, name: str) -> ApiError:
    """An object of that name is there."""
    message = f'{resource.qualified} "{name}" already exists'
    return ApiError(409, "AlreadyExists", message, details=details_of(resource, name))


STALE = (
    "the object has been modified; please apply your changes to the latest version and try again"
)


def conflict(resource: Resource, name: str, why: str = STALE) -> ApiError:
    """Somebody was faster, or a precondition does not hold."""
    message = f'Operation cannot be fulfilled on {resource.qualified} "{name}": {why}'
    return ApiError(409, "Conflict", message, details=details_of(resource, name))


def uid_conflict(resource: Resource, name: str, wanted: str, found: str) -> ApiError:
    """The object of that name is another one."""
    why = f"Precondition failed: UID in precondition: {wanted}, UID in object meta: {found}"
    return conflict(resource, name, why)


def bad_request(message: str) -> ApiError:
    """The request cannot be understood."""
    return ApiError(400, "BadRequest", message)


def forbidden(resource: Resource, name: str, why: str) -> ApiError:
    """Refused by a rule about objects, not about rights."""
    message = f'{resource.qualified} "{name}" is forbidden: {why}'
    return ApiError(403, "Forbidden", message, details=details_of(resource, name))


def fault(field: str, reason: str, message: str) -> Object:
    """One thing wrong with an object; `reason` as in FieldValueInvalid."""
    return {"reason": reason, "message": message, "field": field}


def invalid_value(field: str, value: object, why: str) -> Object:
    """A value that cannot be."""
    shown = f'"{value}"' if isinstance(value, str) else str(value)
    return fault(field, "FieldValueInvalid", f"Invalid value: {shown}: {why}")


def required(field: str, why: str = "") -> Object:
    """A value that must be."""
    return fault(field, "FieldValueRequired", f"Required value: {why}" if why else "Required value")


def refused(field: str, why: str) -> Object:
    """A value that may not be changed so."""
    return fault(field, "FieldValueForbidden", f"Forbidden: {why}")


def invalid(kind: str, name: str, faults: Sequence[Object], *, group: str = "") -> ApiError:
    """The object breaks rules; all of them are told."""
    told = [f"{one['field']}: {one['message']}" for one in faults]
    listed = told[0] if len(told) == 1 else f"[{', '.join(told)}]"
    qualified = f"{kind}.{group}" if group else kind
    details: Object = {"name": name, "kind": kind, "causes": list(faults)}
    if group:
        details["group"] = group
    return ApiError(422, "Invalid", f'{qualified} "{name}" is invalid: {listed}', details=details)


def expired(message: str) -> ApiError:
    """The resourceVersion is older than what is remembered."""
    return ApiError(410, "Expired", message)


def too_large_version(wanted: int, current: int) -> ApiError:
    """A resourceVersion from the future."""
    causes = [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}]
    message = f"Timeout: Too large resource version: {wanted}, current: {current}"
    return ApiError(504, "Timeout", message, details={"causes": causes, "retryAfterSeconds": 1})
