"""The outside world, as far as it is configured."""

from contextlib import AsyncExitStack
from dataclasses import dataclass

from healer.client.alertmanager import Alertmanager
from healer.client.kubernetes.cluster import Kubernetes, connect
from healer.client.prometheus import Prometheus
from healer.kit.clock import Clock
from healer.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Clients:
    """What is configured; None for what is not."""

    clock: Clock
    kubernetes: Kubernetes | None = None
    prometheus: Prometheus | None = None
    alertmanager: Alertmanager | None = None


async def connect_all(settings: Settings, clock: Clock, stack: AsyncExitStack) -> Clients:
    """Connect to all of it; `stack` closes it again."""
    kubernetes: Kubernetes | None = None
    prometheus: Prometheus | None = None
    known = settings.kubernetes
    if known.kubeconfig or known.in_cluster:
        kubernetes = await connect(known.kubeconfig, context=known.context)
        stack.push_async_callback(kubernetes.close)
    if settings.prometheus:
        prometheus = Prometheus(
            settings.prometheus.url,
            timeout=settings.prometheus.timeout,
            headers=settings.prometheus.headers,
        )
        stack.push_async_callback(prometheus.close)
    alertmanager: Alertmanager | None = None
    if settings.alertmanager:
        token = settings.alertmanager.bearer_token_file
        headers = {"Authorization": f"Bearer {token.reveal()}"} if token else {}
        alertmanager = Alertmanager(
            settings.alertmanager.url,
            receiver=settings.alertmanager.receiver,
            headers=headers,
        )
        stack.push_async_callback(alertmanager.close)
    return Clients(
        clock=clock, kubernetes=kubernetes, prometheus=prometheus, alertmanager=alertmanager
    )
