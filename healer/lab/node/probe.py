"""Probes: one look at a container, and the counting that turns looks into a verdict."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass

import aiohttp

from healer.lab.contract import Object
from healer.lab.node.field import entries, mapping, text

Inside = Callable[[Sequence[str]], Awaitable[int]]
"""Runs a command in the container and returns its exit code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """A probe of a container's spec, with the defaults of Kubernetes."""

    spec: Object
    ports: dict[str, int]
    delay: float
    period: float
    timeout: float
    failures: int
    successes: int

    async def looks(self, address: str, inside: Inside) -> AsyncIterator[str]:
        """What each look found wrong, for ever; '' where nothing was."""
        await asyncio.sleep(self.delay)
        while True:
            yield await self._look(address, inside)
            await asyncio.sleep(self.period)

    async def _look(self, address: str, inside: Inside) -> str:
        try:
            async with asyncio.timeout(self.timeout):
                return await self._ask(address, inside)
        except TimeoutError:
            return f"timed out after {self.timeout:g} s"
        except (aiohttp.ClientError, OSError, LookupError, ValueError) as error:
            return str(error) or type(error).__name__

    async def _ask(self, address: str, inside: Inside) -> str:
        if http := mapping(self.spec, "httpGet"):
            return await self._get(http, address)
        if command := mapping(self.spec, "exec").get("command"):
            code = await inside(command)
            return f"command exited with code {code}" if code else ""
        port = self._port(text(self.spec, "tcpSocket", "port"))
        _, writer = await asyncio.open_connection(address, port)
        writer.close()
        return ""

    async def _get(self, http: Object, address: str) -> str:
        scheme = text(http, "scheme").lower() or "http"
        host = text(http, "host") or address
        url = f"{scheme}://{host}:{self._port(text(http, 'port'))}{text(http, 'path') or '/'}"
        headers = {item["name"]: item["value"] for item in entries(http, "httpHeaders")}
        async with (
            aiohttp.ClientSession() as session,
            session.get(
                url,
                headers={"User-Agent": "kube-probe/1.36", **headers},
                ssl=False,
                allow_redirects=False,
            ) as answer,
        ):
            good = 200 <= answer.status < 400
            return "" if good else f"HTTP probe failed with statuscode: {answer.status}"

    def _port(self, written: str) -> int:
        return self.ports[written] if written in self.ports else int(written)


@dataclass(slots=True, kw_only=True)
class Tally:
    """Looks in a row; `verdict` changes when there are enough of one kind."""

    probe: Probe
    verdict: bool | None = None
    _bad: int = 0
    _good: int = 0

    def count(self, wrong: str) -> None:
        """Add a look."""
        self._bad, self._good = (self._bad + 1, 0) if wrong else (0, self._good + 1)
        if self._bad >= self.probe.failures:
            self.verdict = False
        elif self._good >= self.probe.successes:
            self.verdict = True


def find(container: Object, kind: str) -> Probe | None:
    """The probe of that kind (`readiness` ...), or None if the container has none."""
    spec = mapping(container, f"{kind}Probe")
    if not spec:
        return None
    ports = entries(container, "ports")
    return Probe(
        spec=spec,
        ports={port["name"]: int(port["containerPort"]) for port in ports if "name" in port},
        delay=float(spec.get("initialDelaySeconds") or 0),
        period=float(spec.get("periodSeconds") or 10),
        timeout=float(spec.get("timeoutSeconds") or 1),
        failures=int(spec.get("failureThreshold") or 3),
        successes=int(spec.get("successThreshold") or 1),
    )
