"""The parts of one running server, as the HTTP edges see them. Put together in server.py."""

from dataclasses import dataclass

from aiohttp import web

from inference.admission import Admission
from inference.cache import PrefixCache
from inference.engine import Engine
from inference.gpu.monitor import Monitor
from inference.health import Health
from inference.live import LiveConfig
from inference.metrics import Metrics
from inference.models import Models
from inference.repair import Repair
from inference.serving import Serving
from inference.settings import Settings
from inference.spans import Tracer
from inference.ssd import Ssd


@dataclass(slots=True, kw_only=True)
class Parts:
    """Everything."""

    settings: Settings
    live: LiveConfig
    metrics: Metrics
    models: Models
    repair: Repair
    admission: Admission
    ssd: Ssd | None
    cache: PrefixCache
    health: Health
    gpus: Monitor
    tracer: Tracer

    @property
    def engine(self) -> Engine:
        """Of the present model."""
        return self.models.engine

    @property
    def serving(self) -> Serving | None:
        """The present model, None while there is none."""
        return self.models.serving


PARTS: web.AppKey[Parts] = web.AppKey("parts", Parts)
