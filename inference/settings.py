"""Settings of one server process: flags, then environment (INFERENCE_*), then defaults.

Nothing here changes after the start; what may change while running lives in live.py.
"""

import argparse
import ipaddress
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any, cast

LEVELS = ("debug", "info", "warning", "error", "critical")


class SettingsError(Exception):
    """A setting that cannot be used; the text names it and says what would be right."""


def described(
    text: str, parse: Callable[[str], object] = str, least: float | None = None
) -> dict[str, object]:
    """What a field of settings is, how its text is read, and the least that it may be."""
    return {"help": text, "parse": parse, "least": least}


_of = described  # short, for the long table below


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Every field is a flag (`--step-floor`) and a variable (`INFERENCE_STEP_FLOOR`)."""

    model: Path = field(default=Path("model"), metadata=_of("folder of the model to serve", Path))
    model_name: str = field(
        default="", metadata=_of("name it is served under (default: the folder's name)")
    )
    models_dir: Path | None = field(
        default=None,
        metadata=_of("folder of the models that may be loaded (default: the model's parent)", Path),
    )
    backup: Path | None = field(
        default=None, metadata=_of("folder of the model's backup, for restores", Path)
    )
    integrity_seconds: float = field(
        default=5.0, metadata=_of("seconds between looks at the model's files", float, 0.02)
    )
    integrity_sweep_seconds: float = field(
        default=21_600.0,
        metadata=_of("seconds after which every byte of the model is read again", float, 1),
    )
    host: str = field(default="127.0.0.1", metadata=_of("address to listen on"))
    port: int = field(default=8000, metadata=_of("port to listen on; 0 takes a free one", int, 0))
    config: Path | None = field(
        default=None,
        metadata=_of(
            "ConfigMap folder or YAML file; its maxNumSeqs and gpuMemoryUtilization win", Path
        ),
    )
    max_num_seqs: int = field(default=256, metadata=_of("sequences decoded together", int, 1))
    gpu_memory_utilization: float = field(
        default=0.9, metadata=_of("share of GPU memory the engine may use", float, 0.05)
    )
    offload_dir: Path | None = field(
        default=None,
        metadata=_of(
            "folder for what fits into no memory; without it such a model is refused", Path
        ),
    )
    max_active: int = field(default=100, metadata=_of("requests admitted at once", int, 1))
    max_queued: int = field(default=50, metadata=_of("requests waiting for admission", int, 0))
    overload_status: int = field(
        default=429, metadata=_of("HTTP status of a request that finds no place: 429 or 503", int)
    )
    priority_age_seconds: float = field(
        default=1.0,
        metadata=_of("seconds of waiting that are worth one point of priority", float, 0),
    )
    request_timeout: float = field(
        default=0.0,
        metadata=_of("most seconds a request may take, waiting included; 0: no limit", float, 0),
    )
    max_request_tokens: int = field(
        default=0, metadata=_of("most tokens of prompt and answer; 0: the context", int, 0)
    )
    default_max_tokens: int = field(
        default=256, metadata=_of("chat tokens when the request names no limit", int, 1)
    )
    max_body_bytes: int = field(default=4_194_304, metadata=_of("largest request body", int, 1024))
    step_floor: float = field(
        default=0.0,
        metadata=_of(
            "least seconds one decode step takes: gives a tiny model the pace of a large one",
            float,
            0,
        ),
    )
    prefill_chunk: int = field(
        default=512, metadata=_of("prompt tokens prefilled at a time", int, 1)
    )
    torch_threads: int = field(default=1, metadata=_of("threads torch computes with", int, 1))
    stall_seconds: float = field(
        default=30.0, metadata=_of("running without a step for so long is unhealthy", float, 0.1)
    )
    drain_timeout: float = field(
        default=30.0, metadata=_of("seconds SIGTERM waits for requests to finish", float, 0)
    )
    ssd_dir: Path | None = field(
        default=None, metadata=_of("SSD volume for the prefix cache", Path)
    )
    ssd_low_gb: float = field(
        default=20.0, metadata=_of("free space that counts as low, GB", float, 0)
    )
    ssd_critical_gb: float = field(
        default=10.0, metadata=_of("free space that counts as critical, GB", float, 0)
    )
    ssd_probe_seconds: float = field(
        default=5.0, metadata=_of("seconds between health checks of the SSD", float, 0.05)
    )
    cache_ram_mb: float = field(default=64.0, metadata=_of("prefix cache in RAM, MB", float, 0))
    cache_page_tokens: int = field(
        default=32, metadata=_of("prompt tokens in one cache file", int, 1)
    )
    cache_read_timeout: float = field(
        default=0.5, metadata=_of("seconds a request waits for its cached prefix", float, 0)
    )
    breaker_failures: int = field(
        default=3, metadata=_of("consecutive failures that open the SSD circuit", int, 1)
    )
    breaker_retry_seconds: float = field(
        default=30.0, metadata=_of("seconds before an open circuit is tried again", float, 0.05)
    )
    breaker_slow_seconds: float = field(
        default=2.0, metadata=_of("an SSD call slower than this counts as a failure", float, 0.001)
    )
    gpu_seconds: float = field(
        default=2.0, metadata=_of("seconds between looks at the GPUs", float, 0.05)
    )
    memory_limit_gb: float = field(
        default=0.0,
        metadata=_of("memory this process may use, GB (0: its cgroup's limit, if any)", float, 0),
    )
    log_level: str = field(
        default="info", metadata=_of("least level that is logged: " + ", ".join(LEVELS))
    )
    admin_key: str = field(default="", repr=False)
    api_key: str = field(default="", repr=False)

    @property
    def served_name(self) -> str:
        """The model's name in the API."""
        return self.model_name or self.model.resolve().name


def load(arguments: Sequence[str], environment: Mapping[str, str]) -> Settings:
    """Read flags over environment over defaults; every fault is named with its source."""
    flags = vars(_parser().parse_args(arguments))
    values = values_of(Settings, flags, environment)
    for kind in ("admin", "api"):
        values[f"{kind}_key"] = _key(kind, flags[f"{kind}_key_file"], environment)
    settings = Settings(**values)
    if settings.ssd_critical_gb > settings.ssd_low_gb:
        msg = "--ssd-critical-gb must not exceed --ssd-low-gb"
        raise SettingsError(msg)
    if settings.overload_status not in (429, 503):
        msg = f"--overload-status: {settings.overload_status} must be 429 or 503"
        raise SettingsError(msg)
    if settings.log_level not in LEVELS:
        msg = f"--log-level: {settings.log_level!r} must be one of {', '.join(LEVELS)}"
        raise SettingsError(msg)
    if not settings.api_key and not is_loopback(settings.host):
        msg = (
            f"--host {settings.host} can be reached from other machines, so the API needs a key: "
            "set INFERENCE_API_KEY, or --api-key-file"
        )
        raise SettingsError(msg)
    return settings


def is_loopback(host: str) -> bool:
    """Does nobody but this machine reach it? A name that is not localhost may be anywhere."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def values_of(
    kind: type[Any], flags: Mapping[str, str | None], environment: Mapping[str, str]
) -> dict[str, Any]:
    """What flags or environment say of the described fields of a class of settings."""
    values: dict[str, Any] = {}
    for item in fields(kind):
        if "parse" not in item.metadata:
            continue
        raw = flags[item.name]
        source = "--" + item.name.replace("_", "-")
        if raw is None:
            source = "INFERENCE_" + item.name.upper()
            raw = environment.get(source)
        if raw is not None:
            values[item.name] = _value(item.metadata, raw, source)
    return values


def _value(metadata: Mapping[str, Any], raw: str, source: str) -> object:
    parse = cast("Callable[[str], Any]", metadata["parse"])
    try:
        value = parse(raw)
    except ValueError:
        msg = f"{source}: {raw!r} is no {parse.__name__}"
        raise SettingsError(msg) from None
    least = metadata["least"]
    # NaN compares false with everything, so ask for what is right, not for what is wrong.
    if least is not None and not least <= value < float("inf"):
        msg = f"{source}: {raw} must be a number of at least {least}"
        raise SettingsError(msg)
    return cast("object", value)


def _key(kind: str, flag: str | None, environment: Mapping[str, str]) -> str:
    variable = f"INFERENCE_{kind.upper()}_KEY"
    key = environment.get(variable, "").strip()
    path = flag or environment.get(f"{variable}_FILE")
    if key or not path:
        return key
    try:
        key = Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        msg = f"{kind} key file {path}: {error}"
        raise SettingsError(msg) from error
    if not key:
        msg = f"{kind} key file {path} is empty"
        raise SettingsError(msg)
    return key


def _parser() -> argparse.ArgumentParser:
    parser = parser_of(Settings, "python -m inference serve")
    for kind in ("admin", "api"):
        text = f"file with the {kind} key (else INFERENCE_{kind.upper()}_KEY)"
        parser.add_argument(f"--{kind}-key-file", metavar="V", help=text)
    return parser


def parser_of(kind: type[Any], program: str) -> argparse.ArgumentParser:
    """A flag for each described field of a class of settings."""
    parser = argparse.ArgumentParser(prog=program, allow_abbrev=False)
    for item in fields(kind):
        if "parse" not in item.metadata:
            continue
        default = "" if item.default in (None, "", MISSING) else f" (default {item.default})"
        text = (str(item.metadata["help"]) + default).replace("%", "%%")
        parser.add_argument("--" + item.name.replace("_", "-"), metavar="V", help=text)
    return parser


def from_process(arguments: Sequence[str]) -> Settings:
    """Settings of this very process."""
    return load(arguments, os.environ)
