"""A real Alertmanager on loopback with the given configuration, alone in its cluster."""

from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from healer.lab.monitoring.child import find, room, serving


@dataclass(slots=True, kw_only=True)
class Alertmanager:
    """`async with Alertmanager(config=...) as alertmanager:` then `alertmanager.url`."""

    config: str
    """Its configuration as YAML."""
    folder: Path | None = None
    """Where its temporary folder is made."""
    url: str = ""
    _stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def __aenter__(self) -> Self:
        program = find("prometheus-alertmanager", "alertmanager")
        async with AsyncExitStack() as stack:
            folder = stack.enter_context(room("alertmanager", inside=self.folder))
            (folder / "alertmanager.yml").write_text(self.config)
            self.url = await stack.enter_async_context(
                serving(lambda port: _argv(program, folder, port), folder=folder)
            )
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stack.aclose()


def _argv(program: str, folder: Path, port: int) -> list[str]:
    return [
        program,
        f"--config.file={folder / 'alertmanager.yml'}",
        f"--storage.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
        "--log.level=warn",
    ]
