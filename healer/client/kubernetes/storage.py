"""Volume claims one by one: how large, of which class, and whether that class lets them grow."""

from healer.client.kubernetes.object import Claim, Metadata, Wire
from healer.client.kubernetes.session import MERGE, Request, Session, dry, path

_CLAIMS = "api/v1/namespaces"
_CLASSES = "apis/storage.k8s.io/v1/storageclasses"


class StorageClass(Wire):
    """A kind of storage."""

    metadata: Metadata
    allow_volume_expansion: bool = False


class Storage:
    """All that is done with volume claims."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def claim(self, namespace: str, name: str) -> Claim:
        """One claim."""
        request = Request(
            doing=f"get claim {namespace}/{name}", method="GET", path=_claim(namespace, name)
        )
        return await self._session.get(request, Claim)

    async def class_of(self, claim: Claim) -> StorageClass | None:
        """The class of a claim; None where it names none."""
        name = claim.spec.storage_class_name
        if not name:
            return None
        request = Request(
            doing=f"get storage class {name}", method="GET", path=path(_CLASSES, name)
        )
        return await self._session.get(request, StorageClass)

    async def request(
        self, namespace: str, name: str, size: str, *, dry_run: bool = False
    ) -> Claim:
        """Ask for that much storage. The API server refuses less than there is."""
        request = Request(
            doing=f"ask for {size} for claim {namespace}/{name}",
            method="PATCH",
            path=_claim(namespace, name),
            query=dry(dry_run=dry_run),
            body={"spec": {"resources": {"requests": {"storage": size}}}},
            content_type=MERGE,
        )
        return await self._session.get(request, Claim)


def _claim(namespace: str, name: str) -> str:
    return path(_CLAIMS, namespace, "persistentvolumeclaims", name)
