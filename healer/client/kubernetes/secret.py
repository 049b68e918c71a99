"""Secrets that hold a server's certificate. What is in them is never part of a text or an error."""

import base64
import binascii
from collections.abc import Mapping

from pydantic import Field

from healer.client.kubernetes.object import Metadata, Wire
from healer.client.kubernetes.refusal import NOT_FOUND
from healer.client.kubernetes.session import MERGE, Request, Session, dry, path
from healer.errors import PermanentError, RejectedError
from healer.kit.certificate import Certificate, parse_pair

CERTIFICATE, KEY, AUTHORITY = "tls.crt", "tls.key", "ca.crt"
_PARTS = (CERTIFICATE, KEY, AUTHORITY)
_KEPT = "before-healer."
_CORE = "api/v1/namespaces"


class Secret(Wire):
    """A Secret; its data are left out where it is shown."""

    metadata: Metadata
    type: str = ""
    data: Mapping[str, str] = Field(default_factory=dict[str, str], repr=False)

    @property
    def pair(self) -> Mapping[str, str]:
        """The parts of it that a server needs, as they are stored."""
        return {name: self.data[name] for name in _PARTS if name in self.data}

    @property
    def kept(self) -> "Secret":
        """The pair that was in use before, as a Secret of its own; empty where none was kept."""
        kept = {name: self.data[_KEPT + name] for name in _PARTS if _KEPT + name in self.data}
        return self.model_copy(update={"data": kept})

    def certificate(self) -> Certificate:
        """What it holds; a PermanentError where that is no certificate with its own key."""
        where = f"secret {self.metadata.namespace}/{self.metadata.name}"
        try:
            pem, key = (base64.b64decode(self.data[one]) for one in (CERTIFICATE, KEY))
            return parse_pair(pem, key)
        except KeyError as error:
            message = f"{where} holds no {error.args[0]}"
            raise PermanentError(message) from error
        except (binascii.Error, ValueError, IndexError) as error:
            told = str(error) if "private key" in str(error) else "it cannot be read"
            message = f"{where} holds no certificate with its own key: {told}"
            raise PermanentError(message) from error


class Secrets:
    """Reading and replacing them, one by one and by name."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def get(self, namespace: str, name: str) -> Secret:
        """One Secret; a RejectedError with the reason NotFound where it is not there."""
        request = Request(
            doing=f"get secret {namespace}/{name}", method="GET", path=_place(namespace, name)
        )
        return await self._session.get(request, Secret)

    async def find(self, namespace: str, name: str) -> Secret | None:
        """The same; None where it is not there."""
        try:
            return await self.get(namespace, name)
        except RejectedError as error:
            if error.reason == NOT_FOUND:
                return None
            raise

    async def replace(
        self,
        namespace: str,
        name: str,
        pair: Mapping[str, str],
        *,
        keep: Mapping[str, str],
        dry_run: bool = False,
    ) -> Secret:
        """Put another pair into a Secret, and keep one beside it; its other keys stay.

        Kept in the Secret itself, so that no right to create Secrets is needed.
        """
        beside = {_KEPT + part: keep.get(part) for part in _PARTS}
        request = Request(
            doing=f"replace the certificate in secret {namespace}/{name}",
            method="PATCH",
            path=_place(namespace, name),
            query=dry(dry_run=dry_run),
            body={"data": {AUTHORITY: None, **pair, **beside}},
            content_type=MERGE,
        )
        return await self._session.get(request, Secret)


def _place(namespace: str, name: str) -> str:
    return path(_CORE, namespace, "secrets", name)
