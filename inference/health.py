"""What the server says of its own health: components with a status and the numbers behind it.

Health is progress: running work without a step for too long is unhealthy; busy and idle are not.
"""

from inference import memory
from inference.admission import Admission
from inference.breaker import Circuit
from inference.cache import PrefixCache
from inference.component import Component, Status
from inference.degradation import Degradation, Evidence, Mode, judge
from inference.engine import State
from inference.gpu import health as gpu
from inference.gpu.monitor import Monitor
from inference.models import Models
from inference.settings import Settings
from inference.ssd import Ssd

GB = 1e9


class Health:
    """Asks every part; keeps nothing but the degradation mode."""

    def __init__(
        self,
        *,
        settings: Settings,
        models: Models,
        admission: Admission,
        ssd: Ssd | None,
        cache: PrefixCache,
        gpus: Monitor,
    ) -> None:
        self._settings = settings
        self._models = models
        self._integrity = models.integrity
        self._admission = admission
        self._ssd = ssd
        self._cache = cache
        self._gpus = gpus
        self._memory_limit = memory.limit_bytes(settings.memory_limit_gb)
        self.degradation = Degradation()

    def names(self) -> list[str]:
        """Components there are in this configuration."""
        return list(self.components())

    def components(self) -> dict[str, Component]:
        """Every component's state now."""
        found = {
            "engine": self.engine(),
            "model": self.model(),
            "model_integrity": self.model_integrity(),
            "admission": self.admission(),
            "memory": self.memory(),
            "cache": self.cache(),
            "gpu": gpu.component(self._gpus),
        }
        if self._ssd is not None:
            found["ssd"] = self.ssd(self._ssd)
            found["circuit_breaker"] = self.circuit(self._ssd)
        return found

    def stalled(self) -> bool:
        """Work is there and nothing moves."""
        progress = self._models.progress()
        return (
            progress.state is State.READY
            and progress.running > 0
            and progress.idle_seconds > self._settings.stall_seconds
        )

    def alive(self) -> bool:
        """False only for what a restart would cure; load never makes it false."""
        return self._models.progress().state is not State.FAILED and not self.stalled()

    def ready(self) -> bool:
        """May traffic come?"""
        ready = self._models.progress().state is State.READY
        return ready and not self._admission.draining and not self.stalled()

    def review(self) -> None:
        """Judge the degradation mode anew and act on it."""
        self.degradation.update(judge(self._evidence()))
        self._cache.squeeze(on=self.degradation.now.mode >= Mode.AGGRESSIVE_EVICTION)

    def engine(self) -> Component:
        """The decode loop."""
        progress = self._models.progress()
        numbers: dict[str, float | int | str] = {
            "state": progress.state.value,
            "running": progress.running,
            "steps": progress.steps,
            "tokens": progress.tokens,
            "restarts": progress.restarts,
            "seconds_since_progress": round(progress.idle_seconds, 3),
        }
        if progress.state is State.FAILED:
            return Component(status=Status.CRITICAL, message=progress.failure, numbers=numbers)
        if self.stalled():
            text = "work is running and no step was made for too long"
            return Component(status=Status.CRITICAL, message=text, numbers=numbers)
        return Component(status=Status.HEALTHY, numbers=numbers)

    def model(self) -> Component:
        """Is it loaded?"""
        progress = self._models.progress()
        name = self._models.name
        match progress.state:
            case State.READY:
                return Component(status=Status.HEALTHY, numbers={"name": name})
            case State.LOADING:
                text = "loading"
                return Component(status=Status.UNHEALTHY, message=text, numbers={"name": name})
            case State.UNLOADED:
                text = progress.failure
                return Component(status=Status.UNHEALTHY, message=text, numbers={"name": name})
            case State.FAILED | State.REFUSED | State.STOPPED:
                text = progress.failure or progress.state.value
                return Component(status=Status.CRITICAL, message=text, numbers={"name": name})

    def model_integrity(self) -> Component:
        """The model's files; a model in memory stays sound when they do not."""
        found = self._integrity
        numbers: dict[str, float | int | str] = {
            "sealed": "yes" if found.sealed else "no",
            "faults": len(found.faults),
            "seconds_since_full_check": round(found.checked_seconds(), 1),
        }
        if found.faults:
            text = found.faults[0].text
            return Component(status=Status.CRITICAL, message=text, numbers=numbers)
        if found.resealed:
            text = "the files were sealed anew since the model was loaded: load it again"
            return Component(status=Status.DEGRADED, message=text, numbers=numbers)
        return Component(status=Status.HEALTHY, numbers=numbers)

    def admission(self) -> Component:
        """The load shedder; a full queue is degraded, never worse."""
        queued, most = self._admission.queued, self._settings.max_queued
        full = queued >= most and most > 0
        return Component(
            status=Status.DEGRADED if full else Status.HEALTHY,
            message="queue is full" if full else "",
            numbers={
                "active": self._admission.active,
                "queued": queued,
                "max_queued": most,
                "rejected": self._admission.rejected,
            },
        )

    def memory(self) -> Component:
        """Resident memory against its limit."""
        share = self._memory_share()
        numbers: dict[str, float | int | str] = {"used_bytes": memory.used_bytes()}
        if self._memory_limit is not None:
            numbers["limit_bytes"] = self._memory_limit
        status = Status.HEALTHY
        if share is not None and share >= 0.85:
            status = Status.CRITICAL if share >= 0.95 else Status.DEGRADED
        return Component(status=status, numbers=numbers)

    def cache(self) -> Component:
        """The prefix cache; it cannot make the server unhealthy."""
        stored = self._cache.stored()
        numbers: dict[str, float | int | str] = {
            "hit_rate": round(self._cache.hit_rate(), 4),
            "ram_pages": stored.pages,
            "ram_bytes": stored.bytes,
        }
        on_ssd = self._ssd is not None and self._ssd.breaker.state is Circuit.CLOSED
        if self._ssd is not None and not on_ssd:
            return Component(status=Status.DEGRADED, message="RAM only", numbers=numbers)
        return Component(status=Status.HEALTHY, numbers=numbers)

    def ssd(self, ssd: Ssd) -> Component:
        """The volume: errors first, then free space."""
        numbers: dict[str, float | int | str] = {"io_error_rate": round(ssd.error_rate(), 4)}
        if ssd.space is not None:
            numbers["free_gb"] = round(ssd.space.free / GB, 6)
            numbers["total_gb"] = round(ssd.space.total / GB, 6)
        stuck = ssd.stuck_seconds()
        if stuck > self._settings.breaker_slow_seconds:
            text = f"an operation has not come back for {stuck:.0f} s"
            return Component(status=Status.CRITICAL, message=text, numbers=numbers)
        if ssd.last_error:
            return Component(status=Status.CRITICAL, message=ssd.last_error, numbers=numbers)
        return self._by_space(ssd, numbers)

    def circuit(self, ssd: Ssd) -> Component:
        """The breaker of the SSD."""
        found = ssd.breaker.status()
        statuses = {
            Circuit.CLOSED: Status.HEALTHY,
            Circuit.HALF_OPEN: Status.DEGRADED,
            Circuit.OPEN: Status.UNHEALTHY,
        }
        return Component(
            status=statuses[found.state],
            message=found.last_error if found.state is not Circuit.CLOSED else "",
            numbers={"state": found.state.word, "failures": found.failures},
        )

    def _by_space(self, ssd: Ssd, numbers: dict[str, float | int | str]) -> Component:
        if ssd.space is None:
            return Component(status=Status.HEALTHY, message="not measured yet", numbers=numbers)
        free = ssd.space.free / GB
        if free < self._settings.ssd_critical_gb:
            text = "free space is critical"
            return Component(status=Status.CRITICAL, message=text, numbers=numbers)
        if free < self._settings.ssd_low_gb:
            text = "free space is low"
            return Component(status=Status.DEGRADED, message=text, numbers=numbers)
        return Component(status=Status.HEALTHY, numbers=numbers)

    def _memory_share(self) -> float | None:
        if self._memory_limit is None:
            return None
        return memory.used_bytes() / self._memory_limit

    def _evidence(self) -> Evidence:
        ssd = self._ssd
        space = ssd.space if ssd is not None else None
        return Evidence(
            circuit=Circuit.CLOSED if ssd is None else ssd.breaker.state,
            ssd_error="" if ssd is None else ssd.last_error,
            ssd_free_gb=None if space is None else space.free / GB,
            ssd_critical_gb=self._settings.ssd_critical_gb,
            memory_share=self._memory_share(),
            engine_failed=not self.alive(),
            model_refused=self._models.progress().state is State.REFUSED,
            model_faults=len(self._integrity.faults),
        )
