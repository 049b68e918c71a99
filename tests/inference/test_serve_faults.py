"""Every fault found by hand in `transformers serve` (5.23), as a test that passes here.

The numbers are those of the list that they were written down in.
"""

import asyncio
import gc
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.inference.running import Running, Start

pytestmark = pytest.mark.real

PROMPT = "The disk is full and the queue is long, "


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(15):
        while not condition():  # noqa: ASYNC110 - threads and sockets: there is no event to await
            await asyncio.sleep(0.005)


async def _status(running: Running, path: str) -> int:
    async with running.client.get(path) as response:
        return response.status


async def test_1_an_oversize_prompt_is_a_400_and_the_engine_lives_on(start: Start) -> None:
    running = await start(step_floor=0.005)
    async with asyncio.TaskGroup() as group:
        other = group.create_task(running.complete(prompt=PROMPT, max_tokens=40))
        await _until(lambda: running.server.parts.models.progress().steps > 2)
        status, told = await running.complete(prompt=[5] * 5000, max_tokens=1)
        assert (status, told["error"]["code"]) == (400, "context_length_exceeded")
        status, told = await running.complete(prompt=PROMPT * 1000, max_tokens=1)
        assert (status, told["error"]["code"]) == (400, "context_length_exceeded")
    assert other.result()[0] == 200
    assert await _status(running, "/health") == 200
    assert running.server.parts.models.progress().restarts == 0


async def test_1_a_broken_decode_loop_is_rebuilt_without_a_restart_of_the_server(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    from inference.slot import Slots

    running = await start(step_floor=0.005)
    broken = 1

    def step(slots: Slots, *, real: Any = Slots.step) -> Any:
        nonlocal broken
        if broken:
            broken -= 1
            msg = "the step is broken"
            raise RuntimeError(msg)
        return real(slots)

    # Nothing that a client may send breaks a step, so the fault is put in here.
    monkeypatch.setattr(Slots, "step", step)
    assert (await running.complete(prompt=PROMPT, max_tokens=5))[0] == 500
    assert (await running.complete(prompt=PROMPT, max_tokens=5))[0] == 200
    assert await _status(running, "/health") == 200
    assert (await running.metrics())["engine_restarts_total"] == 1


async def test_2_every_request_is_sampled_by_its_own_settings(start: Start) -> None:
    running = await start()
    # The first request is greedy; it must not rule those that come after or beside it.
    _, greedy = await running.complete(prompt=PROMPT, max_tokens=16, temperature=0)
    async with asyncio.TaskGroup() as group:
        asked = [
            group.create_task(
                running.complete(prompt=PROMPT, max_tokens=16, temperature=temperature, seed=seed)
            )
            for temperature, seed in ((1.5, 1), (1.5, 2), (1.5, 3), (1.5, 4), (1.5, 1), (0, 9))
        ]
    texts = [task.result()[1]["choices"][0]["text"] for task in asked]
    assert len(set(texts[:4])) == 4
    assert texts[4] == texts[0]
    assert texts[5] == greedy["choices"][0]["text"]


@pytest.mark.parametrize(
    "asked",
    [
        {"n": 2},
        {"logprobs": 3},
        {"echo": True},
        {"presence_penalty": 0.5},
        {"response_format": {"type": "json_object"}},
        {"tool_choice": "auto"},
    ],
    ids=str,
)
async def test_2_what_is_not_supported_is_refused_not_ignored(
    start: Start, asked: dict[str, Any]
) -> None:
    status, told = await (await start()).complete(prompt="x", **asked)
    assert (status, told["error"]["param"]) == (400, next(iter(asked)))


async def test_2_stop_is_obeyed_in_a_batch_and_finish_reasons_are_true(start: Start) -> None:
    running = await start()
    _, whole = await running.complete(prompt=PROMPT, max_tokens=30)
    text = whole["choices"][0]["text"]
    stop = text[20:25]
    async with asyncio.TaskGroup() as group:
        stopped = group.create_task(running.complete(prompt=PROMPT, max_tokens=30, stop=stop))
        free = group.create_task(running.complete(prompt=PROMPT, max_tokens=30))
    choice = stopped.result()[1]["choices"][0]
    assert (choice["text"], choice["finish_reason"]) == (text[: text.index(stop)], "stop")
    assert free.result()[1]["choices"][0] == whole["choices"][0]
    assert whole["choices"][0]["finish_reason"] == "length"


async def test_3_two_requests_with_the_same_id_are_both_answered(start: Start) -> None:
    running = await start(step_floor=0.005)
    body = {"prompt": PROMPT, "max_tokens": 20, "temperature": 0}

    async def ask() -> dict[str, Any]:
        headers = {"X-Request-ID": "the-same"}
        async with running.client.post("/v1/completions", json=body, headers=headers) as response:
            assert response.status == 200
            return dict(await response.json())

    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        tasks = [group.create_task(ask()) for _ in range(3)]
    answers = [task.result() for task in tasks]
    assert len({answer["id"] for answer in answers}) == 3
    assert len({answer["choices"][0]["text"] for answer in answers}) == 1
    assert running.server.parts.admission.active == 0
    assert await running.server.drain()  # nothing is left that a stop would wait for


async def test_3_a_stop_waits_no_longer_than_it_is_told(start: Start) -> None:
    running = await start(step_floor=0.02, drain_timeout=0.2)
    loop = asyncio.get_running_loop()
    endless = asyncio.ensure_future(running.complete(prompt="x", max_tokens=2000))
    await _until(lambda: running.server.parts.admission.active == 1)
    began = loop.time()
    assert not await running.server.drain()
    assert loop.time() - began < 5
    endless.cancel()
    await asyncio.wait({endless})


async def test_4_models_lists_what_is_served_and_needs_no_cache_directory(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "none"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "none"))
    running = await start(model_name="named")
    async with running.client.get("/v1/models") as response:
        assert response.status == 200
        assert [each["id"] for each in (await response.json())["data"]] == ["named"]


async def test_5_health_answers_while_a_model_loads(start: Start) -> None:
    running = await start(ready=False)
    during = 0
    while running.server.parts.serving is None:
        assert await _status(running, "/health/liveness") == 200
        assert await _status(running, "/health/readiness") in (200, 503)
        during += 1
    assert during >= 3  # a loop that the load blocks would have answered once, afterwards
    assert await _status(running, "/health/readiness") == 200


async def test_6_an_unloaded_model_frees_its_memory(start: Start) -> None:
    running = await start(model_name="tiny")
    assert (await running.complete(prompt=PROMPT * 5, max_tokens=3))[0] == 200
    held: Any = running.server.parts.models._current.model  # pyright: ignore[reportPrivateUsage] - what must be gone
    network = weakref.ref(held.network)
    del held
    async with running.client.post("/v1/models/tiny/unload") as response:
        assert response.status == 200
    await _until(lambda: gc.collect() >= 0 and network() is None)
    assert running.server.parts.cache.stored().bytes == 0


@pytest.mark.parametrize("stream", [False, True])
async def test_7_a_client_that_leaves_is_cancelled_in_both_modes(
    start: Start, *, stream: bool
) -> None:
    running = await start(max_num_seqs=1, step_floor=0.01)
    models = running.server.parts.models
    body = {"prompt": PROMPT, "max_tokens": 1500, "stream": stream}
    gone = asyncio.ensure_future(running.client.post("/v1/completions", json=body))
    await _until(lambda: models.progress().steps > 2)
    if stream:
        (await gone).close()
    else:
        gone.cancel()
    # The only place is free again: the next request does not wait for 1500 tokens.
    async with asyncio.timeout(5):
        assert (await running.complete(prompt="x", max_tokens=2))[0] == 200
    assert models.progress().tokens < 600


async def test_8_a_stream_ends_with_done(start: Start) -> None:
    running = await start()
    for path, body in (
        ("completions", {"prompt": "x"}),
        ("chat/completions", {"messages": [{"role": "user", "content": "x"}]}),
    ):
        content = {**body, "max_tokens": 2, "stream": True}
        async with running.client.post(f"/v1/{path}", json=content) as response:
            assert (await response.text()).endswith("data: [DONE]\n\n")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("completions", {"prompt": "x", "max_tokens": -5}),
        ("completions", {"prompt": "x", "max_tokens": 0}),
        ("chat/completions", {}),
        ("chat/completions", {"messages": []}),
        ("completions", {"prompt": "x", "surprise": 1}),
        ("completions", {"prompt": [1] * 2048, "max_tokens": 1}),
    ],
)
async def test_8_what_is_wrong_is_a_400_with_openais_error_body(
    start: Start, path: str, body: dict[str, Any]
) -> None:
    running = await start()
    async with running.client.post(f"/v1/{path}", json=body) as response:
        error = (await response.json())["error"]
        assert response.status == 400
        assert set(error) == {"message", "type", "param", "code"}


async def test_8_a_prompt_of_one_text_in_a_list_and_of_tokens_is_taken(start: Start) -> None:
    running = await start()
    _, plain = await running.complete(prompt="x", max_tokens=4)
    _, listed = await running.complete(prompt=["x"], max_tokens=4)
    assert listed["choices"] == plain["choices"]
    assert (await running.complete(prompt=[5, 6, 7], max_tokens=1))[0] == 200


async def test_9_without_max_tokens_it_is_the_default_not_a_thousand(start: Start) -> None:
    running = await start(default_max_tokens=7)
    _, plain = await running.complete(prompt="x")
    assert plain["usage"]["completion_tokens"] <= 16
    body = {"messages": [{"role": "user", "content": "x"}], "temperature": 0}
    async with running.client.post("/v1/chat/completions", json=body) as response:
        assert (await response.json())["usage"]["completion_tokens"] <= 7


async def test_9_there_are_metrics_split_probes_keys_limits_and_a_queue_one_can_see(
    start: Start,
) -> None:
    running = await start(
        api_key="k", max_num_seqs=1, max_queued=0, step_floor=0.01, request_timeout=5
    )
    assert await _status(running, "/v1/models") == 401
    for probe in ("startup", "liveness", "readiness"):
        assert await _status(running, f"/health/{probe}") == 200
    headers = {"Authorization": "Bearer k"}
    body = {"prompt": "x", "max_tokens": 60, "temperature": 0}

    async def ask() -> int:
        async with running.client.post("/v1/completions", json=body, headers=headers) as response:
            return response.status

    async with asyncio.TaskGroup() as group:
        first = group.create_task(ask())
        await _until(lambda: running.server.parts.admission.active == 1)
        assert await ask() == 429
    assert first.result() == 200
    seen = await running.metrics()
    assert seen["load_shedding_rejected_requests_total"] == 1
    assert seen["queue_length"] == 0
