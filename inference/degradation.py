"""The four modes of degradation, entered and left by evidence. It judges; others act."""

import logging
from dataclasses import dataclass
from enum import IntEnum

from inference.breaker import Circuit

log = logging.getLogger("inference.degradation")

_PRESSURE = 0.85
_EXHAUSTION = 0.95


class Mode(IntEnum):
    """The value of the metric `degradation_mode`."""

    NORMAL = 0
    DEGRADED = 1
    AGGRESSIVE_EVICTION = 2
    EMERGENCY = 3

    @property
    def word(self) -> str:
        """As operators write it."""
        return self.name.lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What the mode is judged by; None is unknown or absent."""

    circuit: Circuit
    ssd_error: str
    ssd_free_gb: float | None
    ssd_critical_gb: float
    memory_share: float | None
    engine_failed: bool
    model_refused: bool = False
    model_faults: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """The mode and every reason for it."""

    mode: Mode = Mode.NORMAL
    reasons: tuple[str, ...] = ()


def judge(evidence: Evidence) -> Judgement:
    """The strictest mode that something speaks for."""
    found: list[tuple[Mode, str]] = []
    if evidence.circuit is not Circuit.CLOSED:
        found.append((Mode.DEGRADED, f"SSD circuit {evidence.circuit.word}"))
    if evidence.ssd_error:
        found.append((Mode.DEGRADED, f"SSD: {evidence.ssd_error}"))
    free = evidence.ssd_free_gb
    if free is not None and free < evidence.ssd_critical_gb:
        found.append((Mode.DEGRADED, f"SSD free space critical: {free:.3f} GB"))
    share = evidence.memory_share
    if share is not None and share >= _EXHAUSTION:
        found.append((Mode.EMERGENCY, f"memory at {share:.0%} of its limit"))
    elif share is not None and share >= _PRESSURE:
        found.append((Mode.AGGRESSIVE_EVICTION, f"memory at {share:.0%} of its limit"))
    if evidence.engine_failed:
        found.append((Mode.EMERGENCY, "the engine makes no progress"))
    if evidence.model_refused:
        found.append((Mode.EMERGENCY, "the model was refused"))
    elif evidence.model_faults:
        found.append((Mode.DEGRADED, "the model's files are not sound"))
    if not found:
        return Judgement()
    return Judgement(mode=max(mode for mode, _ in found), reasons=tuple(text for _, text in found))


class Degradation:
    """Remembers the present judgement and says when it changes."""

    def __init__(self) -> None:
        self.now = Judgement()

    def update(self, judgement: Judgement) -> None:
        """Take the new judgement over."""
        if judgement.mode is not self.now.mode:
            log.warning(
                "Degradation mode: %s",
                judgement.mode.word,
                extra={"event": "degradation", "reasons": judgement.reasons},
            )
        self.now = judgement
