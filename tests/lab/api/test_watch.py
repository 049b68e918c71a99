"""watch: streams, selectors, bookmarks, expiry, and what a restart does to it."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from healer.lab.api.history import History, Line
from healer.lab.contract import Change, Object
from tests.fakes.apiserver import ADMIN, Lab, kubernetes, kubernetes_watch, pod

PODS = "/api/v1/namespaces/default/pods"


async def lines(lab: Lab, query: str) -> AsyncIterator[dict[str, Any]]:
    """What a watch says."""
    headers = {"Authorization": f"Bearer {ADMIN}"}
    url = f"{lab.server.url}{PODS}?{query}"
    async with lab.http.get(url, headers=headers) as found:
        async for line in found.content:
            yield json.loads(line)


async def collect(lab: Lab, query: str) -> list[tuple[str, str]]:
    """Types and names until the watch ends."""
    return [
        (line["type"], line["object"].get("metadata", {}).get("name", ""))
        async for line in lines(lab, query)
    ]


def relabel(lab: Lab, name: str, app: str) -> None:
    """Give a pod another label."""

    def write(it: Object) -> None:
        it["metadata"]["labels"] = {"app": app}

    lab.store.update("pods", "default", name, write)


@pytest.mark.parametrize("true", ["True", "true", "1"])
async def test_a_watch_without_a_version_starts_with_what_is_there(lab: Lab, true: str) -> None:
    lab.store.create("pods", pod("a"))
    assert await collect(lab, f"watch={true}&timeoutSeconds=1") == [("ADDED", "a")]


async def test_a_watch_from_a_version_tells_what_came_after(lab: Lab) -> None:
    lab.store.create("pods", pod("a"))
    since = lab.store.history.version
    lab.store.create("pods", pod("b"))
    lab.store.update("pods", "default", "a", lambda it: it["metadata"].update(labels={"x": "y"}))
    lab.store.delete("pods", "default", "b")
    found = await collect(lab, f"watch=true&timeoutSeconds=1&resourceVersion={since}")
    assert found == [("ADDED", "b"), ("MODIFIED", "a"), ("DELETED", "b")]


async def test_what_leaves_a_selector_is_deleted_and_what_enters_is_added(lab: Lab) -> None:
    lab.store.create("pods", pod("a", app="x"))
    lab.store.create("pods", pod("b", app="y"))
    since = lab.store.history.version
    for name, app in (("a", "y"), ("b", "x")):
        relabel(lab, name, app)
    query = f"watch=true&timeoutSeconds=1&resourceVersion={since}&labelSelector=app%3Dx"
    assert await collect(lab, query) == [("DELETED", "a"), ("ADDED", "b")]


async def test_bookmarks_tell_the_version_reached_and_end_the_initial_events(lab: Lab) -> None:
    lab.store.create("pods", pod("a"))
    query = "watch=1&timeoutSeconds=1&allowWatchBookmarks=true&sendInitialEvents=true"
    found = [line async for line in lines(lab, query)]
    assert [line["type"] for line in found] == ["ADDED", "BOOKMARK", "BOOKMARK"]
    first = found[1]["object"]["metadata"]
    assert first["annotations"] == {"k8s.io/initial-events-end": "true"}
    assert first["resourceVersion"] == str(lab.store.history.version)


async def test_without_being_asked_for_there_are_no_bookmarks(lab: Lab) -> None:
    assert await collect(lab, "watch=1&timeoutSeconds=1") == []


async def test_a_version_that_is_forgotten_is_410_in_the_stream(lab: Lab) -> None:
    lab.store.create("pods", pod("a"))
    lab.store.history.forget()
    found = [line async for line in lines(lab, "watch=1&resourceVersion=1")]
    assert [line["type"] for line in found] == ["ERROR"]
    assert (found[0]["object"]["code"], found[0]["object"]["reason"]) == (410, "Expired")


async def test_the_clients_watch_sees_changes(lab: Lab) -> None:
    lab.store.create("pods", pod("a"))
    seen: list[tuple[str, str]] = []
    async with lab.api() as api, kubernetes_watch.Watch() as watch:
        listing = kubernetes.CoreV1Api(api).list_namespaced_pod
        async for event in watch.stream(listing, "default", _request_timeout=10):
            seen.append((event["type"], event["object"].metadata.name))
            if len(seen) == 1:
                lab.store.delete("pods", "default", "a")
            else:
                break
    assert seen == [("ADDED", "a"), ("DELETED", "a")]


async def test_a_watch_ends_when_its_caller_goes(lab: Lab) -> None:
    lab.store.create("pods", pod("a"))
    headers = {"Authorization": f"Bearer {ADMIN}"}
    async with lab.http.get(f"{lab.server.url}{PODS}?watch=1", headers=headers) as found:
        await found.content.readline()
        assert lab.store.history.listeners == 1
        found.close()
    await lab.until(lambda: lab.store.history.listeners == 0)


async def test_a_restart_breaks_the_watch_and_resuming_is_410(lab: Lab) -> None:
    lab.store.create("pods", pod("a"))
    since = lab.store.history.version
    watching = lines(lab, "watch=1")
    assert (await anext(watching))["type"] == "ADDED"

    async def fail() -> None:
        with pytest.raises(aiohttp.ClientPayloadError):
            await anext(watching)

    async with asyncio.TaskGroup() as group:
        group.create_task(fail())
        await lab.server.stop()
    lab.store.create("pods", pod("b"))
    await lab.server.start()

    found = [line async for line in lines(lab, f"watch=1&resourceVersion={since}")]
    assert [line["object"].get("code") for line in found] == [410]
    async with lab.api() as api, kubernetes_watch.Watch() as watch:
        listing = kubernetes.CoreV1Api(api).list_namespaced_pod
        with pytest.raises(kubernetes.ApiException) as refused:
            async for _ in watch.stream(
                listing, "default", resource_version=str(since), _request_timeout=10
            ):
                pass
    assert refused.value.status == 410


async def test_a_history_remembers_so_many_changes() -> None:
    history = History(remember=2)
    for version in (2, 3, 4):
        change = Change(type="ADDED", object={})
        history.add(Line(version=version, resource="pods", change=change))
    with history.listening("pods", 2) as queue:
        assert [queue.get_nowait().version for _ in range(2)] == [3, 4]
    history.check(2)
    with pytest.raises(Exception, match="too old resource version: 1"):
        history.check(1)
