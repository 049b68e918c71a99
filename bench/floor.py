"""The plainest server that records a POST before it answers 200: `python -m bench.floor PATH`.

One insert per POST, group-committed by one thread; no parsing, no rules. Nothing of healer is used.
Prints the port that it listens on.
"""

import asyncio
import queue
import signal
import sqlite3
import sys
import threading
from pathlib import Path

from aiohttp import web

Job = tuple[bytes, asyncio.Future[None]]


def record(path: Path, jobs: "queue.SimpleQueue[Job | None]") -> None:
    """The thread: everything that waits goes into one transaction."""
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    database.execute("CREATE TABLE post (id INTEGER PRIMARY KEY, body BLOB NOT NULL)")
    while (first := jobs.get()) is not None:
        batch = [first]
        while not jobs.empty() and (job := jobs.get()) is not None:
            batch.append(job)
        database.execute("BEGIN")
        database.executemany("INSERT INTO post (body) VALUES (?)", [(body,) for body, _ in batch])
        database.execute("COMMIT")
        batch[0][1].get_loop().call_soon_threadsafe(settle, batch)
    database.close()


def settle(batch: list[Job]) -> None:
    """Wake all whose POST is on disk."""
    for _, done in batch:
        if not done.done():
            done.set_result(None)


async def serve(path: Path) -> None:
    """Listen on a free port of loopback until told to stop."""
    jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()

    async def post(request: web.Request) -> web.Response:
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        jobs.put((await request.read(), done))
        await done
        return web.Response()

    thread = threading.Thread(target=record, args=(path, jobs), daemon=True)
    thread.start()
    app = web.Application(client_max_size=64 * 2**20)
    app.router.add_post("/", post)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    sys.stdout.write(f"{runner.addresses[0][1]}\n")
    sys.stdout.flush()
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await stop.wait()
    await runner.cleanup()
    jobs.put(None)
    thread.join()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1])))
