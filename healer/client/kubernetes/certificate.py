"""cert-manager's objects: which Certificate keeps a Secret, who signs, and asking for a new one.

A cluster without cert-manager has no such resource; that is an answer here, and no error.
"""

from datetime import datetime
from typing import Any

from pydantic import Field

from healer.client.kubernetes.object import Condition, Metadata, Object, Wire
from healer.client.kubernetes.refusal import NOT_FOUND
from healer.client.kubernetes.session import MERGE, Request, Session, dry, path
from healer.errors import PermanentError, RejectedError

GROUP = "cert-manager.io"
_ROOT = f"apis/{GROUP}/v1"
ISSUING = "Issuing"
READY = "Ready"


class IssuerRef(Wire):
    """Who signs."""

    name: str = ""
    kind: str = "Issuer"
    group: str = GROUP


class CertificateSpec(Wire):
    """What is wanted."""

    secret_name: str = ""
    dns_names: tuple[str, ...] = ()
    issuer_ref: IssuerRef = Field(default_factory=IssuerRef)


class CertificateStatus(Wire):
    """What is. The conditions are kept whole, for one of them is changed among the others."""

    conditions: tuple[Object, ...] = ()
    not_after: datetime | None = None
    revision: int = 0


class Certificate(Wire):
    """A certificate that cert-manager keeps."""

    metadata: Metadata
    spec: CertificateSpec = Field(default_factory=CertificateSpec)
    status: CertificateStatus = Field(default_factory=CertificateStatus)

    def condition(self, kind: str) -> Condition | None:
        """The condition of that type."""
        found = (one for one in self.status.conditions if one.get("type") == kind)
        return next((Condition.model_validate(one) for one in found), None)

    @property
    def issuing(self) -> bool:
        """Is a new one being made?"""
        found = self.condition(ISSUING)
        return found is not None and found.status == "True"


class IssuerStatus(Wire):
    """How an issuer does."""

    conditions: tuple[Condition, ...] = ()


class Issuer(Wire):
    """An Issuer or a ClusterIssuer."""

    metadata: Metadata
    status: IssuerStatus = Field(default_factory=IssuerStatus)

    @property
    def trouble(self) -> str:
        """Why it cannot sign, in cert-manager's words; '' where it says that it can."""
        found = next((one for one in self.status.conditions if one.type == READY), None)
        if found is None:
            return "it does not say that it is ready"
        return "" if found.status == "True" else found.message or found.reason or "not ready"


class _List(Wire):
    items: tuple[Certificate, ...] = ()


class Certificates:
    """All that is done with cert-manager."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def keeping(self, namespace: str, secret: str) -> Certificate | None:
        """The Certificate that keeps a Secret; None without one, or without cert-manager."""
        request = Request(
            doing=f"list certificates {namespace}",
            method="GET",
            path=path(_ROOT, "namespaces", namespace, "certificates"),
        )
        try:
            found = (await self._session.get(request, _List)).items
        except RejectedError as error:
            if error.reason == NOT_FOUND:
                return None
            raise
        keeping = [one for one in found if one.spec.secret_name == secret]
        if len(keeping) > 1:
            names = ", ".join(one.metadata.name for one in keeping)
            message = f"several certificates keep secret {namespace}/{secret}: {names}"
            raise PermanentError(message)
        return keeping[0] if keeping else None

    async def get(self, namespace: str, name: str) -> Certificate:
        """One Certificate."""
        request = Request(
            doing=f"get certificate {namespace}/{name}",
            method="GET",
            path=path(_ROOT, "namespaces", namespace, "certificates", name),
        )
        return await self._session.get(request, Certificate)

    async def trouble_of(self, certificate: Certificate) -> str:
        """Why its issuer cannot sign; '' where it can."""
        ref, namespace = certificate.spec.issuer_ref, certificate.metadata.namespace
        if ref.group != GROUP:
            return f"its issuer is of {ref.group}, of which nothing is known here"
        where = path(_ROOT, "namespaces", namespace, "issuers", ref.name)
        if ref.kind == "ClusterIssuer":
            where = path(_ROOT, "clusterissuers", ref.name)
        request = Request(doing=f"get {ref.kind} {ref.name}", method="GET", path=where)
        try:
            return (await self._session.get(request, Issuer)).trouble
        except RejectedError as error:
            if error.reason == NOT_FOUND:
                return f"there is no {ref.kind} {ref.name}"
            raise

    async def mark(
        self, certificate: Certificate, condition: dict[str, Any], *, dry_run: bool = False
    ) -> Certificate:
        """Set one condition among the others; a refusal where somebody was faster."""
        meta = certificate.metadata
        others = [
            one for one in certificate.status.conditions if one.get("type") != condition["type"]
        ]
        request = Request(
            doing=f"mark certificate {meta.namespace}/{meta.name} as {condition['type']}",
            method="PATCH",
            path=path(_ROOT, "namespaces", meta.namespace, "certificates", meta.name, "status"),
            query=dry(dry_run=dry_run),
            body={
                "metadata": {"resourceVersion": meta.resource_version},
                "status": {"conditions": [*others, condition]},
            },
            content_type=MERGE,
        )
        return await self._session.get(request, Certificate)
