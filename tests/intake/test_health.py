"""What kubelet and Prometheus ask."""

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.fakes.edge import Served


async def test_it_is_alive_even_when_it_is_not_ready(edge: Served) -> None:
    edge.desk.unready = "the timeline cannot be written"
    async with edge.http.get("/healthz") as response:
        assert response.status == 200
    async with edge.http.get("/readyz") as response:
        assert response.status == 503
        assert (await response.json())["reason"] == "the timeline cannot be written"


async def test_it_is_ready(edge: Served) -> None:
    async with edge.http.get("/readyz") as response:
        assert (response.status, await response.json()) == (200, {"ready": True, "reason": ""})


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [("", "text/plain"), ("application/openmetrics-text", "application/openmetrics-text")],
)
async def test_metrics_come_in_the_format_asked_for(
    edge: Served, accept: str, content_type: str
) -> None:
    async with edge.http.get("/metrics", headers={"Accept": accept}) as response:
        assert response.status == 200
        assert response.content_type == content_type
        assert "healer_webhooks" in await response.text()


async def test_metrics_can_be_scraped(edge: Served) -> None:
    async with edge.http.post("/webhook/alertmanager", data=b"") as response:
        assert response.status == 401
    async with edge.http.get("/metrics") as response:
        families = {one.name: one for one in text_string_to_metric_families(await response.text())}
    samples = {sample.name: sample for sample in families["healer_webhooks"].samples}
    assert samples["healer_webhooks_total"].labels == {"code": "401"}
