"""inference.metrics: one number over all servers, or none."""

import pytest

from healer.check.inference.metric import Metrics, MetricsParams, Reduce
from healer.errors import TemporaryError
from tests.check.inference.conftest import Ward
from tests.fakes.declared import hold_to_its_word
from tests.fakes.lab import NAMESPACE
from tests.fakes.stub import Handler, says


def page(number: float) -> Handler:
    text = f'# TYPE queue_length gauge\nqueue_length {number}\nerrors{{category="oom"}} {number}\n'
    return says(raw=text.encode())


@pytest.mark.parametrize(
    ("reduce", "value"), [("sum", 60.0), ("max", 30.0), ("min", 10.0), ("avg", 20.0)]
)
async def test_several_numbers_become_one_as_asked(ward: Ward, reduce: str, value: float) -> None:
    check, params = (
        Metrics(ward.lab.healer),
        MetricsParams(name="queue_length", reduce=Reduce(reduce)),
    )
    ward.lab.grant(check.permissions(params, namespace=NAMESPACE))
    ward.stub.on("GET", "/metrics", page(10), page(20), page(30))

    found = await check.look(params, ward.ctx)
    hold_to_its_word(check, found)

    assert {"value": value, "series": 3}.items() <= found.evidence.items()


async def test_labels_choose_and_what_nobody_has_is_not_zero(ward: Ward) -> None:
    ward.stub.on("GET", "/metrics", page(10))
    check = Metrics(ward.lab.admin)

    found = await check.look(MetricsParams(name="errors", labels={"category": "oom"}), ward.ctx)
    assert found.evidence["value"] == 30.0

    with pytest.raises(TemporaryError, match="no inference server has a number"):
        await check.look(MetricsParams(name="errors", labels={"category": "cuda"}), ward.ctx)


async def test_not_a_number_is_no_number(ward: Ward) -> None:
    ward.stub.on("GET", "/metrics", page(float("nan")))

    with pytest.raises(TemporaryError, match="no inference server has a number"):
        await Metrics(ward.lab.admin).look(MetricsParams(name="queue_length"), ward.ctx)


async def test_a_ready_server_that_is_silent_leaves_the_sum_unknown(ward: Ward) -> None:
    ward.stub.on("GET", "/metrics", page(10))
    ward.lose(ward.names[0])

    with pytest.raises(TemporaryError, match="not every inference server"):
        await Metrics(ward.lab.admin).look(MetricsParams(name="queue_length"), ward.ctx)


async def test_a_server_out_of_traffic_has_no_share(ward: Ward) -> None:
    ward.stub.on("GET", "/metrics", page(10))
    ward.unready(ward.names[0])

    found = await Metrics(ward.lab.admin).look(MetricsParams(name="queue_length"), ward.ctx)

    assert {"value": 20.0, "series": 2}.items() <= found.evidence.items()
