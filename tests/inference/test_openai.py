"""The API as OpenAI's own Python client speaks it: what users have already written must work."""

from collections.abc import AsyncGenerator

import openai
import pytest
from openai import AsyncOpenAI

from tests.inference.running import Running, Start

KEY = "k3y-of-a-user"
PROMPT = "the quick brown"


@pytest.fixture
async def running(start: Start) -> Running:
    return await start(api_key=KEY)


@pytest.fixture
async def client(running: Running) -> AsyncGenerator[AsyncOpenAI]:
    made = connected(running, key=KEY)
    yield made
    await made.close()


def connected(running: Running, *, key: str) -> AsyncOpenAI:
    return AsyncOpenAI(base_url=str(running.client.make_url("/v1")), api_key=key, max_retries=0)


async def model(client: AsyncOpenAI) -> str:
    (only,) = [each.id async for each in client.models.list()]
    return only


async def test_a_completion_and_its_stream_say_the_same(client: AsyncOpenAI) -> None:
    name = await model(client)
    whole = await client.completions.create(model=name, prompt=PROMPT, max_tokens=8, temperature=0)
    assert whole.usage is not None
    assert whole.usage.completion_tokens <= 8
    stream = await client.completions.create(
        model=name, prompt=PROMPT, max_tokens=8, temperature=0, stream=True,
        stream_options={"include_usage": True},
    )  # fmt: skip
    chunks = [chunk async for chunk in stream]
    text = "".join(choice.text for chunk in chunks for choice in chunk.choices)
    assert text == whole.choices[0].text
    assert chunks[-1].usage == whole.usage
    reasons = [choice.finish_reason for chunk in chunks for choice in chunk.choices]
    assert reasons[-1] == whole.choices[0].finish_reason


async def test_a_chat_and_its_stream_say_the_same(client: AsyncOpenAI) -> None:
    name = await model(client)
    whole = await client.chat.completions.create(
        model=name, messages=[{"role": "user", "content": PROMPT}], max_completion_tokens=8, seed=7
    )
    assert whole.choices[0].message.role == "assistant"
    stream = await client.chat.completions.create(
        model=name, messages=[{"role": "user", "content": PROMPT}], max_completion_tokens=8,
        seed=7, stream=True,
    )  # fmt: skip
    chunks = [chunk async for chunk in stream]
    said = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    assert said == whole.choices[0].message.content
    assert chunks[0].choices[0].delta.role == "assistant"


async def test_a_stop_string_ends_it_and_is_not_shown(client: AsyncOpenAI) -> None:
    name = await model(client)
    full = await client.completions.create(model=name, prompt=PROMPT, max_tokens=12, temperature=0)
    text = full.choices[0].text
    stop = text[len(text) // 2 :][:3]
    cut = await client.completions.create(
        model=name, prompt=PROMPT, max_tokens=12, temperature=0, stop=[stop]
    )
    assert cut.choices[0].text == text[: text.index(stop)]
    assert cut.choices[0].finish_reason == "stop"


async def test_what_is_wrong_arrives_as_the_clients_own_errors(
    client: AsyncOpenAI, running: Running
) -> None:
    name = await model(client)
    with pytest.raises(openai.BadRequestError) as wrong:
        await client.completions.create(model=name, prompt=PROMPT, max_tokens=10**6)
    assert (wrong.value.param, wrong.value.code) == ("max_tokens", "context_length_exceeded")
    with pytest.raises(openai.BadRequestError, match="n"):
        await client.completions.create(model=name, prompt=PROMPT, n=2)
    with pytest.raises(openai.NotFoundError) as unknown:
        await client.completions.create(model="another", prompt=PROMPT)
    assert unknown.value.code == "model_not_found"
    async with connected(running, key="wrong") as stranger:
        with pytest.raises(openai.AuthenticationError):
            await stranger.completions.create(model=name, prompt=PROMPT)


async def test_an_overload_is_its_rate_limit_error_with_a_time_to_come_again(start: Start) -> None:
    running = await start(api_key=KEY, max_num_seqs=1, max_active=1, max_queued=0, step_floor=0.02)
    async with connected(running, key=KEY) as client:
        name = await model(client)
        stream = await client.completions.create(
            model=name, prompt=PROMPT, max_tokens=60, temperature=0, stream=True
        )
        with pytest.raises(openai.RateLimitError) as full:
            await client.completions.create(model=name, prompt=PROMPT)
        assert int(full.value.response.headers["Retry-After"]) >= 1
        await stream.close()
