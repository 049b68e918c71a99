"""The parts of one running server, as the HTTP edges see them. Put together in server.py."""

from dataclasses import dataclass, field

from aiohttp import web

from inference.admission import Admission
from inference.cache import PrefixCache
from inference.engine import Engine
from inference.generation import Generator
from inference.health import Health
from inference.live import LiveConfig
from inference.metrics import Metrics
from inference.settings import Settings
from inference.ssd import Ssd
from inference.text import Tokenizer


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """What exists only once the model is loaded."""

    generator: Generator
    tokenizer: Tokenizer
    context: int
    vocabulary: int


@dataclass(slots=True, kw_only=True)
class Parts:
    """Everything; `serving` is None while the model loads."""

    settings: Settings
    live: LiveConfig
    metrics: Metrics
    engine: Engine
    admission: Admission
    ssd: Ssd | None
    cache: PrefixCache
    health: Health
    serving: Serving | None = field(default=None)


PARTS: web.AppKey[Parts] = web.AppKey("parts", Parts)
