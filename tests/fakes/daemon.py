"""The edge in a process of its own, so that its memory can be measured. Prints its port."""

import asyncio
import contextlib

from healer.intake.server import application, listen
from tests.fakes.desk import FakeDesk
from tests.fakes.edge import edge


class ForgetfulDesk(FakeDesk):
    """Keeps nothing, so that all memory in use is the edge's."""

    async def deliver(self, body: bytes) -> int:
        await asyncio.sleep(0.01)  # as long as a slow disk takes: deliveries pile up meanwhile
        return len(body)


async def main() -> None:
    """Serve until stdin ends."""
    made = edge(desk=ForgetfulDesk())
    async with listen(application(made), host="127.0.0.1", port=0, limits=made.limits) as port:
        print(port, flush=True)  # noqa: T201 - how the test learns of it
        await asyncio.to_thread(input)


if __name__ == "__main__":
    with contextlib.suppress(EOFError):
        asyncio.run(main())
