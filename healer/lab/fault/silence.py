"""People silence what is known while a fault is prepared: its first alert comes after that."""

import contextlib
from collections.abc import AsyncGenerator

from healer.lab.fault.contract import Say
from healer.lab.remote import Remote
from healer.lab.site import Site


@contextlib.asynccontextmanager
async def silenced(remote: Remote, site: Site, *, why: str, say: Say) -> AsyncGenerator[None]:
    """No word of any alert of the service while the block runs."""
    silence = await remote.silence({"service": site.name})
    say(f"Somebody silenced {site.name}, for {why}.")
    try:
        yield
    finally:
        await remote.unsilence(silence)
