"""People silence what is known while a fault is prepared: its first alert comes after that."""

import contextlib
from collections.abc import AsyncGenerator, Mapping

from healer.lab.fault.contract import Say
from healer.lab.remote import Remote
from healer.lab.site import Site


@contextlib.asynccontextmanager
async def silenced(
    remote: Remote, site: Site, *alerts: Mapping[str, str], why: str, say: Say
) -> AsyncGenerator[None]:
    """No word of these alerts of the service while the block runs; of none where none is named."""
    wanted = [{"service": site.name, **labels} for labels in alerts or ({},)]
    silences = [await remote.silence(labels) for labels in wanted]
    say(f"Somebody silenced {'some of ' if alerts else ''}{site.name}, for {why}.")
    try:
        yield
    finally:
        for silence in silences:
            await remote.unsilence(silence)
