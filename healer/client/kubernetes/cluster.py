"""The door to a cluster: pods and workloads over one session."""

from datetime import timedelta
from pathlib import Path

from healer.client.kubernetes.access import Access
from healer.client.kubernetes.certificate import Certificates
from healer.client.kubernetes.node import Nodes
from healer.client.kubernetes.pod import Pods
from healer.client.kubernetes.secret import Secrets
from healer.client.kubernetes.session import Session, from_kubeconfig, in_cluster
from healer.client.kubernetes.storage import Storage
from healer.client.kubernetes.workload import Workloads


class Kubernetes:
    """One cluster. Close it at the end."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.access = Access(session)
        self.certificates = Certificates(session)
        self.nodes = Nodes(session)
        self.pods = Pods(session)
        self.secrets = Secrets(session)
        self.storage = Storage(session)
        self.workloads = Workloads(session)

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()


async def connect(
    kubeconfig: Path | None,
    *,
    context: str | None = None,
    timeout: timedelta = timedelta(seconds=10),
) -> Kubernetes:
    """The cluster of a kubeconfig, or without one the cluster that we run in."""
    if kubeconfig is None:
        return Kubernetes(await in_cluster(timeout=timeout))
    return Kubernetes(await from_kubeconfig(kubeconfig, context=context, timeout=timeout))
