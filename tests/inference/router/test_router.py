"""The router over HTTP: who gets what, what happens when somebody is away, what it says of it."""

import asyncio
import threading
from typing import Any

import aiohttp
import pytest

from inference.router.classifier import Model
from inference.router.minilm import ClassifierError, Vector
from tests.inference.router.fakes import FakeModel, Start


async def test_each_prompt_goes_to_the_expert_that_suits_it(start: Start) -> None:
    router = await start()
    for prompt, name in (("some code", "code"), ("a poem, a poem", "poems"), ("law", "general")):
        status, expert, text = await router.ask(prompt)
        assert (status, expert) == (200, name)
        assert text == f"data: {name}\n\ndata: [DONE]\n\n"
    seen = await router.metrics()
    assert seen['routing_requests_total{expert="code"}'] == 1
    assert seen["routing_latency_seconds_count"] == 3
    assert not [
        name for name in seen if name.startswith(("routing_fallbacks_t", "routing_errors_t"))
    ]


async def test_what_suits_nobody_goes_to_the_fallback_and_is_counted(start: Start) -> None:
    router = await start()
    for body in (
        {"prompt": "the weather"},
        {"prompt": [1, 2, 3]},
        {"messages": [{"role": "system", "content": "code"}]},
        {"messages": "code"},
    ):
        async with router.client.post("/v1/chat/completions", json=body) as response:
            assert response.headers["X-Expert"] == "general"
    seen = await router.metrics()
    assert seen['routing_requests_total{expert="general"}'] == 4
    assert seen['routing_fallbacks_total{reason="unsure"}'] == 4


@pytest.mark.parametrize(
    "content", ["some code", [{"type": "text", "text": "some"}, {"type": "text", "text": "code"}]]
)
async def test_a_conversation_is_about_what_the_user_said_last(start: Start, content: Any) -> None:
    router = await start()
    messages = [
        {"role": "user", "content": "a poem"},
        {"role": "user", "content": content},
        {"role": "assistant", "content": "law"},
    ]
    body = {"messages": messages}
    async with router.client.post("/v1/chat/completions", json=body) as response:
        assert response.headers["X-Expert"] == "code"
    assert router.experts["code"].asked == [{"messages": messages}]


async def test_an_expert_asked_for_by_name_is_not_second_guessed(start: Start) -> None:
    router = await start()
    assert (await router.ask("some code", model="poems"))[1] == "poems"
    assert router.experts["poems"].asked == [{"prompt": "some code"}]
    async with router.client.get("/v1/models") as response:
        names = [each["id"] for each in (await response.json())["data"]]
    assert names == ["code", "poems", "general"]


async def test_keys_and_ids_reach_the_expert_and_nothing_else_does(start: Start) -> None:
    router = await start()
    headers = {"Authorization": "Bearer k", "X-Request-Id": "r1", "Cookie": "secret=1"}
    await router.client.post("/v1/completions", json={"prompt": "code"}, headers=headers)
    (seen,) = router.experts["code"].headers
    assert (seen["Authorization"], seen["X-Request-Id"]) == ("Bearer k", "r1")
    assert "Cookie" not in seen


async def test_a_refusal_for_load_is_the_experts_own_word(start: Start) -> None:
    router = await start()
    router.experts["code"].status = 429
    async with router.client.post("/v1/completions", json={"prompt": "code"}) as response:
        assert (response.status, response.headers["Retry-After"]) == (429, "7")
    assert router.experts["general"].asked == []


async def test_an_expert_that_takes_nothing_is_replaced_before_a_probe_notices(
    start: Start,
) -> None:
    router = await start(probe_seconds=60.0)
    router.experts["code"].status = 503
    await router.experts["poems"].server.close()
    assert (await router.ask("some code"))[1] == "general"
    assert (await router.ask("a poem"))[1] == "general"
    seen = await router.metrics()
    assert seen['routing_fallbacks_total{reason="failed"}'] == 2
    # The refused connection is remembered: the next one does not even try.
    assert (await router.ask("a poem"))[1] == "general"
    seen = await router.metrics()
    assert seen['routing_fallbacks_total{reason="unreachable"}'] == 1


async def test_a_sick_expert_is_found_by_probes_and_forgiven_by_them(start: Start) -> None:
    router = await start()
    router.experts["code"].health = 503
    await router.until(lambda: router.parts.watched["code"].standing == "unhealthy")
    assert (await router.ask("some code"))[1] == "general"
    async with router.client.get("/experts") as response:
        told = (await response.json())["experts"]
    assert {each["name"]: each["status"] for each in told} == {
        "code": "unhealthy", "poems": "healthy", "general": "healthy",
    }  # fmt: skip
    assert "answered 503" in told[0]["message"]
    async with router.client.get("/health") as response:
        assert (response.status, (await response.json())["status"]) == (200, "unhealthy")
    seen = await router.metrics()
    assert seen['health_check_status{component="expert-code"}'] == 2
    assert seen['routing_fallbacks_total{reason="unreachable"}'] == 1
    router.experts["code"].health = 200
    await router.until(lambda: router.parts.watched["code"].standing == "healthy")
    assert (await router.ask("some code"))[1] == "code"


async def test_when_nobody_takes_it_the_client_is_told_and_it_is_an_error(start: Start) -> None:
    router = await start(probe_seconds=60.0)
    for fake in router.experts.values():
        await fake.server.close()
    status, _, text = await router.ask("some code")
    assert status == 502
    assert "no expert took the request: code: " in text
    seen = await router.metrics()
    assert seen['routing_errors_total{reason="unreachable"}'] == 1
    assert seen['routing_requests_total{expert="none"}'] == 1
    async with router.client.get("/health") as response:
        assert response.status == 200  # no probe has seen the third of them yet
    async with router.client.get("/health/liveness") as response:
        assert response.status == 200


async def test_without_any_expert_it_is_not_ready_and_alive(start: Start) -> None:
    router = await start()
    for fake in router.experts.values():
        fake.health = 500
    await router.until(lambda: not router.parts.health.reachable())
    for path, status in (("", 503), ("/readiness", 503), ("/liveness", 200)):
        async with router.client.get(f"/health{path}") as response:
            assert response.status == status
    async with router.client.get("/health/components") as response:
        told = (await response.json())["components"]
    assert told["experts"]["status"] == "critical"
    assert told["expert-code"]["message"].endswith("answered 500")


async def test_half_an_answer_does_not_look_like_a_whole_one(start: Start) -> None:
    router = await start()
    router.experts["code"].breaks = True
    with pytest.raises(aiohttp.ClientError):
        await router.ask("some code")
    seen = await router.metrics()
    assert seen['routing_errors_total{reason="broken"}'] == 1
    assert router.experts["general"].asked == []


async def test_a_client_that_leaves_is_no_longer_answered(start: Start) -> None:
    router = await start()
    router.experts["code"].silent = True
    asking = asyncio.ensure_future(router.ask("some code"))
    await router.until(lambda: bool(router.experts["code"].asked))
    asking.cancel()
    async with asyncio.timeout(10):
        await router.experts["code"].cancelled.wait()


async def test_a_silent_expert_is_given_up_for_the_fallback(start: Start) -> None:
    router = await start(silence_timeout=0.1, probe_seconds=60.0)
    router.experts["code"].silent = True
    assert (await router.ask("some code"))[1] == "general"


class Broken:
    """A classifier whose file is bad until it is mended."""

    def __init__(self) -> None:
        self.mended = threading.Event()

    def __call__(self) -> Model:
        if not self.mended.is_set():
            msg = "/models/model.safetensors: checksum mismatch"
            raise ClassifierError(msg)
        return FakeModel()


async def test_a_classifier_that_cannot_load_is_said_and_the_fallback_serves(
    start: Start,
) -> None:
    load = Broken()
    router = await start(load=load)
    assert (await router.ask("some code"))[:2] == (200, "general")
    async with router.client.get("/health") as response:
        told = await response.json()
        assert (response.status, told["status"]) == (200, "critical")
    assert told["reasons"] == [
        "everything goes to general: /models/model.safetensors: checksum mismatch"
    ]
    async with router.client.get("/experts") as response:
        classifier = (await response.json())["classifier"]
    assert classifier["state"] == "failed"
    assert 0 <= classifier["next_try_seconds"] <= 0.11
    seen = await router.metrics()
    assert seen['health_check_status{component="classifier"}'] == 3
    assert seen['routing_fallbacks_total{reason="classifier"}'] == 1
    load.mended.set()
    await router.until(lambda: router.parts.classifier.state == "ready")
    assert (await router.ask("some code"))[1] == "code"


class Slow:
    """A classifier that hangs on one text."""

    def __init__(self) -> None:
        self.go = threading.Event()

    def embed(self, texts: list[str]) -> list[Vector]:
        if texts == ["slow code"]:
            self.go.wait(10)
        return FakeModel().embed(texts)


async def test_a_slow_classifier_holds_nobody_up(start: Start) -> None:
    slow = Slow()
    router = await start(load=lambda: slow, classify_timeout=0.1)
    assert (await router.ask("slow code"))[1] == "general"
    seen = await router.metrics()
    assert seen['routing_fallbacks_total{reason="slow"}'] == 1
    slow.go.set()
    await router.until(lambda: True)
    assert (await router.ask("quick code"))[1] == "code"


@pytest.mark.parametrize("data", [b"{", b"[1]", b"\xff"])
async def test_a_body_that_is_no_json_object_goes_nowhere(start: Start, data: bytes) -> None:
    router = await start()
    async with router.client.post("/v1/completions", data=data) as response:
        assert response.status == 400
    async with router.client.get("/nothing") as response:
        assert response.status == 404
    assert not [each for fake in router.experts.values() for each in fake.asked]
