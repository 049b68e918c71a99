"""The comparison itself: streams are timed and counted, failures never pass for answers."""

import asyncio
import json
import subprocess
import sys
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bench.inference.floor import has_gpu
from bench.inference.load import plan_of, send
from bench.inference.measure import Figure, Load, Pair
from bench.inference.prompt import body
from bench.inference.report import table


@pytest.mark.skipif(has_gpu(), reason="there is a GPU")
def test_without_a_gpu_the_comparison_on_one_says_so_at_once() -> None:
    command = [sys.executable, "-m", "bench", "inference", "--gpu"]
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    assert said.returncode == 2
    assert "torch finds no GPU that it can use here" in said.stderr


@pytest.mark.parametrize("shape", ["even", "skewed"])
def test_the_same_number_asks_the_same_and_no_two_begin_alike(shape: str) -> None:
    asked: list[dict[str, Any]] = [json.loads(body(shape, number)) for number in range(200)]
    assert asked == [json.loads(body(shape, number)) for number in range(200)]
    assert len({one["prompt"].split()[0] for one in asked}) == 200
    lengths = [one["max_tokens"] for one in asked]
    assert (len(set(lengths)) > 10) is (shape == "skewed")
    assert {one["temperature"] for one in asked} == {0}


async def _stream(request: web.Request) -> web.StreamResponse:
    """Three tokens with a pause before each; what is odd about a request is in its user."""
    asked = await request.json()
    if asked.get("user") == "refused":
        return web.json_response({"error": "no"}, status=429)
    response = web.StreamResponse()
    await response.prepare(request)
    for _ in range(3):
        await asyncio.sleep(0.02)
        await response.write(b'data: {"text": "x"}\n\n')
    if asked.get("user") == "cut":
        request.transport.abort()  # type: ignore[union-attr]  # it is there
        return response
    await response.write(b'data: {"usage": {"completion_tokens": 3}}\n\n')
    return response


async def _sent(*options: str) -> dict[str, Any]:
    app = web.Application()
    app.router.add_post("/v1/completions", _stream)
    async with TestServer(app) as server:
        plan = plan_of([str(server.make_url("")), *options])
        said: dict[str, Any] = await send(plan)
        return said


async def test_first_token_and_whole_answer_are_timed_and_tokens_counted() -> None:
    said = await _sent("--clients=2", "--requests=5")
    assert said["tokens"] == [3] * 5
    assert all(
        0.02 <= first < whole for first, whole in zip(said["first"], said["whole"], strict=True)
    )
    assert min(said["whole"]) >= 0.06
    assert said["failures"] == {}


@pytest.mark.parametrize(("user", "fault"), [("refused", "429"), ("cut", "cut short")])
async def test_what_is_refused_or_cut_short_is_a_failure(user: str, fault: str) -> None:
    said = await _sent("--clients=1", "--requests=1", f"--more={json.dumps({'user': user})}")
    assert said["failures"] == {fault: 1}
    assert said["tokens"] == []


def test_nothing_but_loopback_is_ever_pressed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        plan_of(["http://192.0.2.1:80"])
    assert "loopback" in capsys.readouterr().err


def _figure(seconds: float, first: float, failures: dict[str, int] | None = None) -> Figure:
    return Figure(
        seconds=seconds,
        tokens=100,
        cpu=0.1,
        load=0.01,
        first=(first,),
        whole=(first * 2,),
        failures=failures or {},
    )


def _met(text: str, name: str) -> str:
    return next(line for line in text.splitlines() if name in line).split()[-1]


def test_the_table_says_what_was_met_and_what_was_not() -> None:
    even, skewed = (Load(shape=shape, clients=8, requests=8) for shape in ("even", "skewed"))
    good = Pair(load=even, rival=(_figure(2.0, 0.2),), healer=(_figure(0.9, 0.1),))
    bad = Pair(load=skewed, rival=(_figure(2.0, 0.1),), healer=(_figure(1.5, 0.2),))
    text = table([good])
    assert (_met(text, "tokens/s"), _met(text, "first token")) == ("yes", "yes")
    assert "2.22" in text
    text = table([bad])
    assert (_met(text, "tokens/s"), _met(text, "first token")) == ("no", "no")


def test_speed_with_failures_meets_nothing() -> None:
    load = Load(shape="even", clients=8, requests=8)
    fast = _figure(0.1, 0.1, {"500": 3})
    text = table([Pair(load=load, rival=(_figure(2.0, 0.2),), healer=(fast,))])
    assert _met(text, "tokens/s") == "no"
    assert "{'500': 3}" in text
