"""What a request cost is told by moments, in virtual time."""

from collections.abc import Iterator

import pytest

from inference.api.account import Account
from inference.generation import Order, Piece
from inference.metrics import Metrics
from inference.sequence import Finish, Sampling


def made(moments: list[float]) -> tuple[Account, Metrics]:
    """An account whose clock shows these moments, one after the other."""
    clock: Iterator[float] = iter(moments)
    metrics = Metrics()
    order = Order(id="x", prompt=[1, 2, 3], max_tokens=4, sampling=Sampling())
    account = Account(
        metrics=metrics, order=order, model="m", operation="chat", clock=lambda: next(clock)
    )
    return account, metrics


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


def test_each_stage_is_measured_in_vllms_sense() -> None:
    account, metrics = made([0.0, 2.0, 5.0, 6.0, 8.0, 9.0])
    account.admitted()
    for number, finish in ((1, None), (2, None), (3, Finish.LENGTH)):
        account.take(Piece(text="", tokens=number, finish=finish))
    account.ended("success")
    for name, seconds in {
        "request_queue_time": 2.0,
        "time_to_first_token": 5.0,
        "request_prefill_time": 3.0,
        "request_decode_time": 3.0,
        "request_inference_time": 6.0,
        "inter_token_latency": 3.0,
        "e2e_request_latency": 9.0,
    }.items():
        assert value(metrics, f"vllm:{name}_seconds_sum") == seconds, name
    assert value(metrics, "vllm:inter_token_latency_seconds_count") == 2
    assert value(metrics, "vllm:request_success_total", finished_reason="length") == 1


@pytest.mark.parametrize(
    ("status", "reason"), [("cancelled", "abort"), ("expired", "abort"), ("error", "error")]
)
def test_what_was_admitted_and_did_not_end_well_says_how(status: str, reason: str) -> None:
    account, metrics = made([0.0, 1.0, 2.0])
    account.admitted()
    account.ended(status)
    assert value(metrics, "vllm:request_success_total", finished_reason=reason) == 1
    assert value(metrics, "vllm:request_decode_time_seconds_count") == 0


def test_who_gave_up_waiting_counts_in_the_latency_and_who_was_refused_does_not() -> None:
    account, metrics = made([0.0, 7.0])
    account.ended("cancelled")
    assert value(metrics, "inference_latency_seconds_sum") == 7.0
    assert value(metrics, "vllm:request_success_total", finished_reason="abort") == 0
    account, metrics = made([0.0])
    account.ended("rejected")
    assert value(metrics, "inference_latency_seconds_count") == 0
