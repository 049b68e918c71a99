"""cert-manager.certificate: does cert-manager keep a Secret, and can its issuer sign?"""

from collections.abc import Sequence

from healer.check.contract import CheckContext, Kinds
from healer.check.param import ObjectName, Params
from healer.client.kubernetes.certificate import READY, Certificate
from healer.client.kubernetes.cluster import Kubernetes
from healer.client.kubernetes.permission import CLUSTER, allow
from healer.model.effect import Permission
from healer.model.outcome import Finding


class KeeperParams(Params):
    """The Secret in question; without `namespace`, in that of the target."""

    secret: ObjectName
    namespace: ObjectName | None = None


class Keeper:
    """Holds if a Certificate keeps the Secret and its issuer says that it is ready.

    Evidence: kept, name, ready, issuing, issuer, issuer_ready, revision. Without cert-manager in
    the cluster, `kept` is false.
    """

    name = "cert-manager.certificate"
    params = KeeperParams
    evidence = Kinds(
        {
            **dict.fromkeys(("kept", "ready", "issuing", "issuer_ready"), bool),
            **dict.fromkeys(("name", "issuer"), str),
            "revision": int,
        }
    )

    def __init__(self, kubernetes: Kubernetes) -> None:
        self._certificates = kubernetes.certificates

    def permissions(self, params: KeeperParams, *, namespace: str) -> Sequence[Permission]:
        """Finding the Certificate, and reading its issuer."""
        where = params.namespace or namespace
        return (
            *allow(where, "certificates", "list"),
            *allow(where, "issuers", "get"),
            *allow(CLUSTER, "clusterissuers", "get"),
        )

    async def look(self, params: KeeperParams, ctx: CheckContext) -> Finding:
        """Look for it, and ask its issuer."""
        namespace = params.namespace or ctx.target.namespace
        found = await self._certificates.keeping(namespace, params.secret)
        if found is None:
            summary = f"nobody keeps secret {namespace}/{params.secret}: its certificate is manual"
            return _finding(ctx, summary, kept=False)
        trouble = await self._certificates.trouble_of(found)
        who = found.spec.issuer_ref
        can = f"which cannot sign: {trouble}" if trouble else "which is ready"
        summary = f"certificate {found.metadata.name} keeps it, by {who.kind} {who.name}, {can}"
        return _finding(ctx, summary, kept=True, found=found, trouble=trouble)


def _finding(
    ctx: CheckContext,
    summary: str,
    *,
    kept: bool,
    found: Certificate | None = None,
    trouble: str = "",
) -> Finding:
    ready = found.condition(READY) if found else None
    return Finding(
        check=ctx.id,
        holds=kept and not trouble,
        summary=summary,
        evidence={
            "kept": kept,
            "name": found.metadata.name if found else "",
            "ready": ready is not None and ready.status == "True",
            "issuing": found is not None and found.issuing,
            "issuer": found.spec.issuer_ref.name if found else "",
            "issuer_ready": kept and not trouble,
            "revision": found.status.revision if found else 0,
        },
    )
