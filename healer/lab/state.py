"""What a running lab is known by: addresses, tokens and its process, kept in one private file."""

import json
import os
import shutil
from contextlib import suppress
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path

from healer.errors import PermanentError

AUDIT_LOG = "audit.log"
"""Its name in the folder of a lab."""


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """A lab from outside. Everything about it is asked over HTTP, but for the audit log."""

    pid: int
    folder: str
    factor: float
    dry_run: bool
    kubernetes: str
    kubeconfig: str
    token: str
    """Of the cluster's administrator."""
    ca: str
    """The certificate of the API server, as PEM."""
    prometheus: str
    alertmanager: str
    healer: str
    operator: str
    """Token of healer's API."""
    slack: str
    pagerduty: str
    services: dict[str, str]
    """The address of each service that runs here."""

    @property
    def audit(self) -> Path:
        """The audit log of the API server: what is not asked over HTTP, as in a real cluster."""
        return Path(self.folder) / AUDIT_LOG


def default_home() -> Path:
    """Where labs keep their model and their state, by the habit of the platform."""
    cache = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(cache) if cache else Path.home() / ".cache") / "healer"


@dataclass(frozen=True, slots=True)
class Home:
    """The folder of all labs of a user."""

    path: Path

    @property
    def model(self) -> Path:
        """The tiny model, made once."""
        return self.path / "model"

    @property
    def log(self) -> Path:
        """What a lab in the background says."""
        return self.path / "lab.log"

    def new_folder(self) -> Path:
        """A folder for a lab of this process; folders of labs that were killed are removed."""
        labs = self.path / "labs"
        labs.mkdir(parents=True, exist_ok=True)
        for old in labs.iterdir():
            owner = old.name.partition("-")[0]
            if owner.isdecimal() and not alive(int(owner)):
                shutil.rmtree(old, ignore_errors=True)
        for number in count(1):  # one process may have several labs
            made = labs / f"{os.getpid()}-{number}"
            with suppress(FileExistsError):
                made.mkdir(mode=0o700)
                return made
        raise AssertionError("numbers do not end")

    def write(self, state: State) -> None:
        """Tell where the lab is."""
        fresh = self._file.with_suffix(".new")
        fresh.touch(mode=0o600)
        fresh.write_text(json.dumps(asdict(state), indent=2))
        fresh.replace(self._file)

    def read(self) -> State | None:
        """The lab that runs, or None."""
        try:
            state = State(**json.loads(self._file.read_text()))
        except (OSError, ValueError, TypeError):
            return None
        return state if alive(state.pid) else None

    def require(self) -> State:
        """The lab that runs; PermanentError where none does."""
        state = self.read()
        if state is None:
            message = "no lab is running; start one with `healer lab up`"
            raise PermanentError(message)
        return state

    def forget(self) -> None:
        """It is gone."""
        self._file.unlink(missing_ok=True)

    @property
    def _file(self) -> Path:
        return self.path / "lab.json"


def alive(pid: int) -> bool:
    """Whether a process runs. One that only waits to be reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (OSError, IndexError):
        return False
