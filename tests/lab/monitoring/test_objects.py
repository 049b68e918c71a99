"""The page of the cluster's objects: names and labels of kube-state-metrics, true at every look."""

import aiohttp

from healer.lab.contract import Object
from healer.lab.monitoring.objects import ObjectMetrics, page
from tests.fakes.cluster import FakeCluster

DEPLOYMENT: Object = {
    "metadata": {"name": "api", "namespace": "production"},
    "spec": {"replicas": 3},
    "status": {},
}
POD: Object = {
    "metadata": {"name": "api-1", "namespace": "production"},
    "status": {
        "containerStatuses": [
            {
                "name": "server",
                "restartCount": 2,
                "lastState": {"terminated": {"reason": "OOMKilled", "exitCode": 137}},
            }
        ]
    },
}
WHERE = 'namespace="production",deployment="api"'
CONTAINER = 'namespace="production",pod="api-1",container="server"'


def test_deployments_and_containers_are_told_and_absent_is_zero() -> None:
    cluster = FakeCluster()
    cluster.create("deployments", DEPLOYMENT)
    cluster.create("pods", POD)

    lines = page(cluster).splitlines()

    assert f"kube_deployment_spec_replicas{{{WHERE}}} 3" in lines
    assert f"kube_deployment_status_replicas_ready{{{WHERE}}} 0" in lines
    assert f"kube_pod_container_status_restarts_total{{{CONTAINER}}} 2" in lines
    ended = f'kube_pod_container_status_last_terminated_reason{{{CONTAINER},reason="OOMKilled"}} 1'
    assert ended in lines


async def test_the_page_is_served_and_follows_the_cluster() -> None:
    cluster = FakeCluster()
    cluster.create("deployments", DEPLOYMENT)
    async with ObjectMetrics(cluster=cluster) as served, aiohttp.ClientSession() as session:
        cluster.delete("deployments", "production", "api")
        async with session.get(f"http://{served.address}/metrics") as answer:
            assert WHERE not in await answer.text()
