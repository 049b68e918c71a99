"""The command line in a thread, so that the server it talks to can answer on the loop."""

import asyncio

from click.testing import CliRunner, Result

from healer.cli.main import main

ADA = "t0ken-of-ada"


async def healer(port: int, *args: str, token: str = ADA, server: str = "") -> Result:
    """Run `healer ARGS` against a daemon on that loopback port."""
    env = {"HEALER_SERVER": server or f"http://127.0.0.1:{port}", "HEALER_TOKEN": token}
    return await asyncio.to_thread(CliRunner().invoke, main, list(args), env=env)
