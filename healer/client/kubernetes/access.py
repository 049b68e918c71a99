"""May we? Asked of the API server itself, which knows all its rules; nothing is done for it."""

from healer.client.kubernetes.object import Wire
from healer.client.kubernetes.session import Request, Session
from healer.model.effect import Permission

_REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


class _Status(Wire):
    """The answer."""

    allowed: bool = False
    reason: str = ""


class _Review(Wire):
    """The question with its answer."""

    status: _Status = _Status()


class Access:
    """Questions about rights; everybody who has logged in may ask them about himself."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def may(self, right: Permission, name: str = "") -> bool:
        """Is that right ours, for the object of that name (none: for all of them)?"""
        resource, _, part = right.resource.partition("/")
        asked = {
            "verb": right.verb,
            "group": right.group,
            "resource": resource,
            "subresource": part,
            "namespace": right.namespace,
            "name": name,
        }
        request = Request(
            doing=f"ask whether we may {right.verb} {right.resource}",
            method="POST",
            path=_REVIEWS,
            body={
                "apiVersion": "authorization.k8s.io/v1",
                "kind": "SelfSubjectAccessReview",
                "spec": {"resourceAttributes": {key: text for key, text in asked.items() if text}},
            },
        )
        return (await self._session.get(request, _Review)).status.allowed
