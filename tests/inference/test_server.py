"""The server over HTTP with the real model: the API, the queue, cancellation, admin, health."""

import asyncio
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.inference.running import Running, Start

pytestmark = pytest.mark.real

PROMPT = "The disk is full and the queue is long, "


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - threads and sockets: there is no event to await
            await asyncio.sleep(0.005)


async def _stream(running: Running, path: str, body: dict[str, Any]) -> list[dict[str, Any]]:
    """Events of a stream; the last must be [DONE]."""
    async with running.client.post(path, json={**body, "stream": True}) as response:
        assert response.status == 200
        assert response.content_type == "text/event-stream"
        text = await response.text()
    lines = [line.removeprefix("data: ") for line in text.split("\n\n") if line]
    assert lines.pop() == "[DONE]"
    return [json.loads(line) for line in lines]


async def test_a_completion_streamed_is_the_completion_at_once(start: Start) -> None:
    running = await start(model_name="tiny")
    body = {"prompt": PROMPT, "max_tokens": 12, "temperature": 0}
    status, whole = await running.complete(**body)
    assert status == 200
    assert whole["usage"]["completion_tokens"] == 12
    assert whole["choices"][0]["finish_reason"] == "length"
    options = {"stream_options": {"include_usage": True}}
    events = await _stream(running, "/v1/completions", {**body, **options})
    assert events.pop()["usage"] == whole["usage"]
    text = "".join(event["choices"][0]["text"] for event in events)
    assert text == whole["choices"][0]["text"]
    assert [event["choices"][0]["finish_reason"] for event in events[-2:]] == [None, "length"]


async def test_a_chat_names_the_role_once_and_equals_its_prompt_as_tokens(start: Start) -> None:
    running = await start()
    body = {"messages": [{"role": "user", "content": "hello"}], "max_tokens": 6, "temperature": 0}
    events = await _stream(running, "/v1/chat/completions", body)
    deltas = [event["choices"][0]["delta"] for event in events]
    assert [delta.get("role") for delta in deltas] == ["assistant", *[None] * (len(deltas) - 1)]
    assert running.server.parts.serving is not None
    tokens = running.server.parts.serving.tokenizer.chat([{"role": "user", "content": "hello"}])
    _, plain = await running.complete(prompt=tokens, max_tokens=6, temperature=0)
    assert "".join(delta["content"] for delta in deltas) == plain["choices"][0]["text"]


async def test_a_stop_string_ends_the_text_before_it_and_frees_the_slot(start: Start) -> None:
    running = await start()
    _, whole = await running.complete(prompt=PROMPT, max_tokens=30, temperature=0)
    text: str = whole["choices"][0]["text"]
    stop = text[20:25]
    _, stopped = await running.complete(prompt=PROMPT, max_tokens=30, temperature=0, stop=stop)
    assert stopped["choices"][0]["text"] == text[: text.index(stop)]
    assert stopped["choices"][0]["finish_reason"] == "stop"
    await _until(lambda: running.server.parts.engine.progress().running == 0)


@pytest.mark.parametrize(
    ("path", "body", "status", "param"),
    [
        ("completions", {"prompt": "x", "max_tokens": -5}, 400, "max_tokens"),
        ("completions", {"prompt": "x", "max_tokens": "5"}, 400, "max_tokens"),
        ("completions", {"prompt": "x", "temperature": 3}, 400, "temperature"),
        ("completions", {"prompt": "x", "top_p": 0}, 400, "top_p"),
        ("completions", {"prompt": "x", "n": 2}, 400, "n"),
        ("completions", {"prompt": "x", "logprobs": 3}, 400, "logprobs"),
        ("completions", {"prompt": "x", "echo": True}, 400, "echo"),
        ("completions", {"prompt": "x", "presence_penalty": 0.5}, 400, "presence_penalty"),
        ("completions", {"prompt": "x", "surprise": 1}, 400, "surprise"),
        ("completions", {"prompt": "x", "stop": ["a", "b", "c", "d", "e"]}, 400, "stop"),
        ("completions", {"prompt": "x", "stream_options": {}}, 400, "stream_options"),
        ("completions", {"prompt": ""}, 400, "prompt"),
        ("completions", {"prompt": [5000]}, 400, "prompt"),
        ("completions", {"prompt": ["a", "b"]}, 400, "prompt"),
        ("completions", {"prompt": "x", "max_tokens": 5000}, 400, "max_tokens"),
        ("completions", {"prompt": "x", "model": "other"}, 404, "model"),
        ("completions", {}, 400, "prompt"),
        ("chat/completions", {}, 400, "messages"),
        ("chat/completions", {"messages": []}, 400, "messages"),
        ("chat/completions", {"messages": [{"role": "x", "content": "y"}]}, 400, "messages"),
    ],
)
async def test_what_is_wrong_or_not_supported_is_refused_and_named(
    start: Start, path: str, body: dict[str, Any], status: int, param: str
) -> None:
    running = await start()
    async with running.client.post(f"/v1/{path}", json=body) as response:
        error = (await response.json())["error"]
        assert (response.status, error["param"]) == (status, param)
        assert error["type"] == "invalid_request_error"
    assert running.server.parts.admission.active == 0


async def test_defaults_that_clients_send_for_unsupported_features_pass(start: Start) -> None:
    running = await start()
    neutral = {"n": 1, "presence_penalty": 0.0, "frequency_penalty": 0, "logprobs": None}
    status, _ = await running.complete(prompt="x", max_tokens=1, echo=False, user="u", **neutral)
    assert status == 200


@pytest.mark.parametrize("data", [b"{", b"[1]", b"\xff", b"[" * 100_000])
async def test_a_body_that_is_no_json_object_is_a_400(start: Start, data: bytes) -> None:
    running = await start()
    async with running.client.post("/v1/completions", data=data) as response:
        assert response.status == 400
        assert "JSON" in (await response.json())["error"]["message"]


async def test_too_large_a_body_and_an_unknown_path_get_error_bodies(start: Start) -> None:
    running = await start(max_body_bytes=2048)
    async with running.client.post("/v1/completions", data=b"x" * 5000) as response:
        assert response.status == 413
        assert "error" in await response.json()
    async with running.client.get("/v1/nothing") as response:
        assert response.status == 404
        assert "error" in await response.json()
    async with running.client.get("/v1/completions") as response:
        assert response.status == 405


async def test_beyond_slots_and_queue_it_is_429_with_retry_after_and_liveness_stays(
    start: Start,
) -> None:
    running = await start(max_num_seqs=1, max_queued=1, step_floor=0.02)
    admission = running.server.parts.admission
    async with asyncio.TaskGroup() as group:
        first = group.create_task(running.complete(prompt=PROMPT, max_tokens=25))
        await _until(lambda: admission.active == 1)
        second = group.create_task(running.complete(prompt=PROMPT, max_tokens=5))
        await _until(lambda: admission.queued == 1)
        async with running.client.post("/v1/completions", json={"prompt": "x"}) as response:
            assert response.status == 429
            assert int(response.headers["Retry-After"]) >= 1
            assert (await response.json())["error"]["code"] == "overloaded"
        seen = await running.metrics()
        assert seen["queue_length"] == seen["load_shedding_queued_requests"] == 1
        assert seen["vllm:num_requests_waiting"] == seen["vllm:num_requests_running"] == 1
        assert seen["load_shedding_active_requests"] == 1
        async with running.client.get("/health/liveness") as response:
            assert response.status == 200
    assert first.result()[0] == second.result()[0] == 200
    seen = await running.metrics()
    assert seen["load_shedding_rejected_requests_total"] == 1
    assert seen['error_count_total{category="overload"}'] == 1
    assert seen['request_count_total{status="success"}'] == 2
    assert seen["inference_latency_seconds_count"] == 2
    assert seen["inference_latency_seconds_sum"] > 0.02 * 24 * 2
    assert seen['inference_latency_seconds_bucket{le="60.0"}'] == 2


@pytest.mark.parametrize("stream", [False, True])
async def test_a_client_that_leaves_frees_its_slot_at_once(start: Start, *, stream: bool) -> None:
    running = await start(step_floor=0.01)
    parts = running.server.parts
    body = {"prompt": PROMPT, "max_tokens": 1500, "stream": stream}
    task = asyncio.ensure_future(running.client.post("/v1/completions", json=body))
    await _until(lambda: parts.engine.progress().steps > 2)
    if stream:
        (await task).close()
    else:
        task.cancel()
    await _until(lambda: parts.engine.progress().running == 0 and parts.admission.active == 0)
    assert parts.engine.progress().tokens < 1000
    assert (await running.metrics())['request_count_total{status="cancelled"}'] == 1


async def test_a_client_that_leaves_while_it_waits_leaves_the_queue(start: Start) -> None:
    running = await start(max_num_seqs=1, step_floor=0.01)
    admission = running.server.parts.admission
    async with asyncio.TaskGroup() as group:
        group.create_task(running.complete(prompt=PROMPT, max_tokens=40))
        await _until(lambda: admission.active == 1)
        gone = group.create_task(running.complete(prompt=PROMPT, max_tokens=40))
        await _until(lambda: admission.queued == 1)
        gone.cancel()
        await _until(lambda: admission.queued == 0)


async def test_the_step_floor_paces_decoding(start: Start) -> None:
    running = await start(step_floor=0.02)
    started = time.monotonic()
    await running.complete(prompt="x", max_tokens=11)
    assert time.monotonic() - started >= 10 * 0.02


async def test_max_num_seqs_changes_live_by_admin_and_by_the_configmap(
    start: Start, tmp_path: Path
) -> None:
    (tmp_path / "maxNumSeqs").write_text("1")
    running = await start(config=tmp_path, step_floor=0.02)
    admission = running.server.parts.admission
    async with asyncio.TaskGroup() as group:
        for _ in range(4):
            group.create_task(running.complete(prompt=PROMPT, max_tokens=120))
        await _until(lambda: admission.queued == 3)
        async with running.client.patch("/admin/config", json={"maxNumSeqs": 2}) as response:
            assert (await response.json())["maxNumSeqs"] == 2
        await _until(lambda: admission.active == 2)
        (tmp_path / "maxNumSeqs").write_text("4")
        await _until(lambda: admission.active == 4)
        async with running.client.patch("/admin/config", json={"maxNumSeqs": 0}) as response:
            assert response.status == 400
        assert (await running.metrics())["max_num_seqs"] == 4


async def test_admin_needs_its_key_and_nothing_else_does(start: Start, tmp_path: Path) -> None:
    running = await start(admin_key="k3y", ssd_dir=tmp_path)
    for method, path in (
        ("GET", "/admin/circuit-breaker/status"),
        ("POST", "/admin/circuit-breaker/reset"),
        ("POST", "/admin/cache/evict"),
        ("GET", "/admin/cache"),
        ("PATCH", "/admin/config"),
        ("POST", "/admin/drain"),
        ("GET", "/admin/nothing"),
    ):
        wrong = [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "k3y"}]
        wrong += [{"X-Admin-Key": "wrong"}, {"X-Admin-Key": ""}]
        for headers in wrong:
            async with running.client.request(method, path, headers=headers) as response:
                assert response.status == 401
                assert "k3y" not in await response.text()
    for headers in ({"Authorization": "Bearer k3y"}, {"X-Admin-Key": "k3y"}):
        async with running.client.get("/admin/circuit-breaker/status", headers=headers) as response:
            assert (await response.json())["ssd"]["state"] == "closed"
    async with running.client.get("/health") as response:
        assert response.status == 200


async def test_eviction_takes_what_is_older_and_a_dry_run_only_tells(
    start: Start, tmp_path: Path
) -> None:
    running = await start(ssd_dir=tmp_path)
    await _until((tmp_path / "cache").is_dir)
    old, young = tmp_path / "cache" / "old.safetensors", tmp_path / "cache" / "new.safetensors"
    for path in (old, young):
        path.write_bytes(b"x" * 1000)
    week = 7 * 86_400
    os.utime(old, (time.time() - week - 60, time.time() - week - 60))
    async with running.client.get(f"/admin/cache?older_than_seconds={week}") as response:
        told = await response.json()
        assert (told["files"], told["older_files"], told["older_bytes"]) == (2, 1, 1000)
    for dry_run in (True, False):
        body = {"older_than_seconds": week, "dry_run": dry_run}
        async with running.client.post("/admin/cache/evict", json=body) as response:
            told = await response.json()
            assert (told["removed_files"], told["removed_bytes"]) == (1, 1000)
            assert told["free_bytes"] > 0
        assert old.exists() == dry_run
    assert young.exists()
    for wrong in ({"older_than_seconds": -1}, {"older_than": 5}, {"dry_run": "yes"}):
        async with running.client.post("/admin/cache/evict", json=wrong) as response:
            assert response.status == 400
    assert young.exists()


async def test_prompts_are_kept_on_the_ssd_and_found_by_the_next_server(
    start: Start, tmp_path: Path
) -> None:
    body = {"prompt": PROMPT * 8, "max_tokens": 8, "temperature": 0}
    first = await start(ssd_dir=tmp_path)
    _, fresh = await first.complete(**body)
    cache = tmp_path / "cache"
    pages = (fresh["usage"]["prompt_tokens"]) // 32
    await _until(lambda: len(list(cache.glob("*.safetensors"))) == pages)
    second = await start(ssd_dir=tmp_path)
    _, cached = await second.complete(**body)
    assert cached["choices"] == fresh["choices"]
    assert (await first.metrics())["cache_hit_rate"] == 0
    seen = await second.metrics()
    assert seen["vllm:prompt_tokens_total"] == fresh["usage"]["prompt_tokens"]
    assert seen["vllm:generation_tokens_total"] == 8
    assert seen["vllm:prefix_cache_hits_total"] == seen["vllm:prefix_cache_queries_total"] > 0
    assert (await second.metrics())["cache_hit_rate"] == 1


async def test_the_share_of_the_cache_in_use_is_told_under_the_name_of_vllm(start: Start) -> None:
    running = await start(max_num_seqs=4, max_request_tokens=50, step_floor=0.02)
    async with asyncio.TaskGroup() as group:
        asked = group.create_task(running.complete(prompt=PROMPT, max_tokens=25))
        await _until(lambda: running.server.parts.models.progress().tokens > 3)
        seen = await running.metrics()
    prompt = asked.result()[1]["usage"]["prompt_tokens"]
    assert (prompt + 3) / 200 <= seen["vllm:kv_cache_usage_perc"] < (prompt + 25) / 200
    await _until(lambda: running.server.parts.models.progress().cached == 0)
    seen = await running.metrics()
    assert seen["vllm:kv_cache_usage_perc"] == seen["vllm:num_preemptions_total"] == 0


async def test_draining_finishes_what_runs_and_refuses_what_comes(start: Start) -> None:
    running = await start(step_floor=0.01)
    async with asyncio.TaskGroup() as group:
        old = group.create_task(running.complete(prompt=PROMPT, max_tokens=30))
        await _until(lambda: running.server.parts.admission.active == 1)
        async with running.client.post("/admin/drain") as response:
            assert await response.json() == {"draining": True, "active": 1, "queued": 0}
        assert (await running.complete(prompt="x"))[0] == 503
        async with running.client.get("/health/readiness") as response:
            assert response.status == 503
        async with running.client.get("/health/liveness") as response:
            assert response.status == 200
    assert old.result()[0] == 200
    await running.client.post("/admin/resume")
    assert (await running.complete(prompt="x", max_tokens=1))[0] == 200


async def test_a_volume_that_goes_away_degrades_and_comes_back_by_itself(
    start: Start, tmp_path: Path
) -> None:
    root = tmp_path / "ssd"
    root.mkdir()
    running = await start(
        ssd_dir=root, ssd_probe_seconds=0.05, breaker_retry_seconds=0.2, breaker_slow_seconds=30.0
    )
    health = running.server.parts.health
    await _until((root / "cache").is_dir)
    root.rename(tmp_path / "gone")
    await _until(lambda: health.degradation.now.mode.word == "degraded")
    ssd = running.server.parts.ssd
    assert ssd is not None
    await _until(lambda: ssd.breaker.state.word == "open")
    status, _ = await running.complete(prompt=PROMPT * 8, max_tokens=2)
    assert status == 200
    seen = await running.metrics()
    assert seen['circuit_breaker_state{circuit="ssd"}'] in (1, 2)
    assert seen['error_count_total{category="ssd"}'] >= 3
    assert seen['health_check_status{component="ssd"}'] == 3
    assert seen["health_ssd_io_error_rate"] > 0
    assert seen["degradation_mode"] == 1
    async with running.client.get("/health/components") as response:
        told = await response.json()
        assert told["components"]["ssd"]["status"] == "critical"
        assert "No such file or directory" in told["components"]["ssd"]["message"]
    (tmp_path / "gone").rename(root)
    await _until(lambda: health.degradation.now.mode.word == "normal")
    assert (await running.metrics())['circuit_breaker_state{circuit="ssd"}'] == 0


async def test_an_engine_that_fails_is_a_500_an_error_event_and_an_unhealthy_answer(
    start: Start,
) -> None:
    running = await start()
    await asyncio.to_thread(running.server.parts.engine.stop, 5)
    status, body = await running.complete(prompt="x")
    assert (status, body["error"]["type"]) == (500, "server_error")
    events = await _stream(running, "/v1/completions", {"prompt": "x"})
    assert events[-1]["error"]["code"] == "engine_error"
    seen = await running.metrics()
    assert seen['error_count_total{category="engine"}'] == 2
    assert seen['request_count_total{status="error"}'] == 2
    async with running.client.get("/health") as response:
        assert response.status == 503


async def test_memory_near_its_limit_is_an_emergency_that_metrics_show(start: Start) -> None:
    running = await start(memory_limit_gb=0.001)
    await _until(lambda: running.server.parts.health.degradation.now.mode.word == "emergency")
    seen = await running.metrics()
    assert seen["degradation_mode"] == 3
    assert seen['health_check_status{component="memory"}'] == 3
    async with running.client.get("/health/liveness") as response:
        assert response.status == 200
    assert (await running.complete(prompt="x", max_tokens=1))[0] == 200


async def test_running_work_without_a_step_is_unhealthy_and_idle_is_not(start: Start) -> None:
    running = await start(stall_seconds=0.2, step_floor=1.5)
    await asyncio.sleep(0.3)  # idle for longer than the limit
    async with running.client.get("/health/liveness") as response:
        assert response.status == 200
    async with asyncio.TaskGroup() as group:
        # One step takes 1.5 s, so for the health check this engine stands still.
        group.create_task(running.complete(prompt="x", max_tokens=3))
        await _until(running.server.parts.health.stalled)
        for path in ("/health", "/health/liveness", "/health/readiness"):
            async with running.client.get(path) as response:
                assert response.status == 503
        assert (await running.metrics())['health_check_status{component="engine"}'] == 3
    async with running.client.get("/health/liveness") as response:
        assert response.status == 200
