"""All controllers together, on one cluster."""

import asyncio

from healer.lab.api.store import utc_now
from healer.lab.contract import Cluster
from healer.lab.controller.autoscale import Autoscaler, Measure
from healer.lab.controller.certificate import Certificates, Issuers
from healer.lab.controller.claim import Binder
from healer.lab.controller.deployment import Deployments
from healer.lab.controller.disruption import Disruptions
from healer.lab.controller.endpoint import Endpoints
from healer.lab.controller.namespace import Namespaces
from healer.lab.controller.replicaset import ReplicaSets
from healer.lab.controller.schedule import Scheduler
from healer.lab.controller.state import Now
from healer.lab.controller.unreachable import Unreachable


async def run_controllers(cluster: Cluster, *, measure: Measure, now: Now = utc_now) -> None:
    """Run them until cancelled."""
    async with asyncio.TaskGroup() as group:
        group.create_task(Deployments(cluster=cluster, now=now).run())
        group.create_task(ReplicaSets(cluster=cluster, now=now).run())
        group.create_task(Scheduler(cluster=cluster, now=now).run())
        group.create_task(Autoscaler(cluster=cluster, now=now, measure=measure).run())
        group.create_task(Disruptions(cluster=cluster, now=now).run())
        group.create_task(Endpoints(cluster=cluster).run())
        group.create_task(Issuers(cluster=cluster, now=now).run())
        group.create_task(Certificates(cluster=cluster, now=now).run())
        group.create_task(Binder(cluster=cluster).run())
        group.create_task(Namespaces(cluster=cluster, now=now).run())
        group.create_task(Unreachable(cluster=cluster, now=now).run())
