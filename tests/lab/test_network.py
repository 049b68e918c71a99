"""A Service's address leads to its ready endpoints, in turn, and refuses when there are none."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator

from healer.lab.network import ServiceProxy, ready
from tests.fakes.cluster import FakeCluster


class Backend:
    """Answers each connection with its name and what it was sent."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.port = 0

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(self.name.encode() + b" " + await reader.read())
        await writer.drain()
        writer.close()


@contextlib.asynccontextmanager
async def listening(name: str) -> AsyncGenerator[Backend]:
    backend = Backend(name)
    server = await asyncio.start_server(backend.answer, "127.0.0.1", 0)
    backend.port = server.sockets[0].getsockname()[1]
    async with server:
        yield backend


@contextlib.asynccontextmanager
async def proxied(cluster: FakeCluster) -> AsyncGenerator[ServiceProxy]:
    proxy = ServiceProxy(cluster, "test", "web")
    async with asyncio.TaskGroup() as group:
        running = group.create_task(proxy.run())
        try:
            yield proxy
        finally:
            running.cancel()


def endpoints(*ports: int) -> dict[str, object]:
    return {
        "metadata": {"name": "web", "namespace": "test"},
        "subsets": [
            {"addresses": [{"ip": "127.0.0.1"}], "ports": [{"port": port}]} for port in ports
        ],
    }


async def say(proxy: ServiceProxy, word: str) -> str:
    host, port = proxy.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(word.encode())
    writer.write_eof()
    answer = await reader.read()
    writer.close()
    return answer.decode()


async def outcome(proxy: ServiceProxy) -> str:
    """What becomes of a connection."""
    try:
        await say(proxy, "")
    except ConnectionRefusedError:
        return "refused"
    except ConnectionResetError:
        return "reset"
    return "taken"


async def until(proxy: ServiceProxy, wanted: str) -> None:
    async with asyncio.timeout(5):
        while await outcome(proxy) != wanted:  # noqa: ASYNC110 a port has no events
            await asyncio.sleep(0.01)


async def test_connections_go_to_the_ready_endpoints_in_turn() -> None:
    cluster = FakeCluster()
    async with listening("one") as one, listening("two") as two, proxied(cluster) as proxy:
        cluster.create("endpoints", endpoints(one.port, two.port))
        await until(proxy, "taken")
        answers = [await say(proxy, "hello") for _ in range(4)]
    assert sorted(answers) == ["one hello", "one hello", "two hello", "two hello"]


async def test_without_a_ready_endpoint_connections_are_refused_and_later_taken_again() -> None:
    cluster = FakeCluster()
    async with listening("one") as one, proxied(cluster) as proxy:
        assert await outcome(proxy) == "refused"
        cluster.create("endpoints", endpoints(one.port))
        await until(proxy, "taken")
        cluster.update("endpoints", "test", "web", lambda found: found.update(subsets=[]))
        await until(proxy, "refused")
        cluster.update("endpoints", "test", "web", lambda found: found.update(endpoints(one.port)))
        await until(proxy, "taken")
        assert await say(proxy, "again") == "one again"


async def test_an_endpoint_that_has_just_died_is_passed_over() -> None:
    cluster = FakeCluster()
    async with listening("gone") as gone:
        dead = gone.port
    async with listening("alive") as alive, proxied(cluster) as proxy:
        cluster.create("endpoints", endpoints(dead, alive.port))
        await until(proxy, "taken")
        assert [await say(proxy, "x") for _ in range(3)] == ["alive x"] * 3


async def test_when_all_endpoints_are_dead_the_connection_is_reset() -> None:
    cluster = FakeCluster()
    async with listening("gone") as gone:
        dead = gone.port
    async with proxied(cluster) as proxy:
        cluster.create("endpoints", endpoints(dead))
        await until(proxy, "reset")


def test_addresses_that_are_not_ready_are_no_endpoints() -> None:
    subset = {
        "addresses": [{"ip": "127.1.1.1"}],
        "notReadyAddresses": [{"ip": "127.1.1.2"}],
        "ports": [{"port": 80}, {"port": 81}],
    }
    assert ready({"subsets": [subset]}) == [("127.1.1.1", 80)]
