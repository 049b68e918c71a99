"""Every fault by its name."""

from collections.abc import Mapping

from healer.lab.fault.breaker import BreakerHeld
from healer.lab.fault.certificate import ExpiringCertificate, Story
from healer.lab.fault.classifier import SELDOM, SOON, BadClassifier, SlowClassifier
from healer.lab.fault.closing import BreakerClosing
from healer.lab.fault.contract import Fault
from healer.lab.fault.disk import FillingDisk
from healer.lab.fault.flood import FLOOD, OVERLOAD, Flood
from healer.lab.fault.full import MemoryFull
from healer.lab.fault.gpu import GpuCrowded, GpuFull
from healer.lab.fault.hung import Hung
from healer.lab.fault.inside import Defect
from healer.lab.fault.loop import Looping
from healer.lab.fault.lost import GpuLost, ModelLost, NodeLost
from healer.lab.fault.marks import MarksTooHigh
from healer.lab.fault.mistaken import DiskMistaken
from healer.lab.fault.model import CorruptModel, ModelRefused
from healer.lab.fault.quota import QuotaLifted
from healer.lab.fault.release import BadRelease, Gone, Paused
from healer.lab.fault.restarted import Restarted
from healer.lab.fault.routing import HungExpert
from healer.lab.fault.ssd import ON_THE_SSD
from healer.lab.fault.stalled import EngineStalled
from healer.lab.fault.volume import FullVolume

ODD = "Bake a sponge cake with lemon icing."
"""Suits none of the experts' examples."""
ERRORS = 'sum(rate(error_count_total{category="%s", {where}}[5s]))'
PYTHON = ("python", "-c")
SMALL, HUGE = {"memory": "16Mi"}, {"memory": "900Gi"}

_ALL: tuple[Fault, ...] = (
    ExpiringCertificate(name="expiring-certificate", story=Story.KEPT),
    ExpiringCertificate(name="expiring-certificate-forgotten", story=Story.FORGOTTEN),
    ExpiringCertificate(name="expiring-certificate-issuer", story=Story.BROKEN),
    ExpiringCertificate(name="expiring-certificate-manual", story=Story.MANUAL),
    ExpiringCertificate(name="expiring-certificate-passing", story=Story.PASSING),
    BadClassifier(name="classifier-damaged"),
    BadClassifier(name="classifier-late", repaired=SOON),
    BadClassifier(name="classifier-repaired", repaired=SELDOM),
    SlowClassifier(),
    HungExpert(name="expert-hangs"),
    HungExpert(name="expert-passes", passes=True),
    BreakerClosing(),
    BreakerHeld(name="breaker-held", sound=True),
    BreakerHeld(name="breaker-held-broken", sound=False),
    BreakerHeld(name="breaker-held-young", sound=True, silenced=False),
    BadRelease(
        name="release-memory",
        change={
            "command": [*PYTHON, f"table = b'x' * {2**30}"],
            "resources": {"requests": SMALL, "limits": SMALL},
        },
        what="reads a table first that is larger than the memory it may have",
        silenced="ContainerOOMKilled",
        kept=False,
    ),
    BadRelease(
        name="release-flag",
        change={"args": ["--sparkle=1"]},
        what="gives the server a flag that it does not know",
        kept=False,
    ),
    BadRelease(
        name="release-gpu",
        change={"command": [*PYTHON, "import torch; torch.empty(1, device='cuda')"]},
        what="asks for a GPU first, and torch finds none that works",
        kept=False,
    ),
    BadRelease(
        name="release-model-missing",
        change={"args": ["--model=/models/renamed"]},
        what="names a model that is not there",
    ),
    BadRelease(
        name="release-no-room",
        change={"resources": {"requests": HUGE}},
        what="asks for more memory than any node has",
    ),
    Defect(
        name="cuda-errors",
        service="largeforge",
        defect="cuda",
        what="torch refuses its device",
        rate=4,
        proof=ERRORS % "cuda",
    ),
    Defect(
        name="cuda-errors-everywhere",
        service="largeforge",
        defect="cuda",
        what="torch refuses their device",
        everywhere=True,
        rate=4,
        proof=ERRORS % "cuda",
    ),
    Defect(
        name="errors-connection",
        service="largeforge",
        defect="lonely",
        what="it asks somebody over the network who is not there",
        rate=4,
        proof=ERRORS % "engine",
    ),
    Defect(
        name="errors-other",
        service="largeforge",
        defect="misshapen",
        what="its sums do not fit any more",
        rate=4,
        proof=ERRORS % "engine",
    ),
    Defect(
        name="errors-not-refusals",
        service="llm-inference",
        defect="misshapen",
        what="their sums do not fit any more",
        everywhere=True,
        rate=4,
        proof=ERRORS % "engine",
    ),
    Defect(
        name="leak",
        service="llm-inference",
        defect="leak",
        what="it leaks",
    ),
    Defect(
        name="leak-fast",
        service="llm-inference",
        defect="leak-fast",
        what="it takes all the memory that it can get",
    ),
    Defect(
        name="memory-errors",
        service="largeforge",
        defect="memory",
        what="they ask for more memory than there is",
        everywhere=True,
        rate=4,
        proof=ERRORS % "oom",
    ),
    EngineStalled(),
    Gone(),
    GpuFull(
        name="gpu-full",
        defect="reserve",
        what="keeps room for every sequence that it is allowed, which nearly fills its GPUs",
    ),
    GpuFull(
        name="gpu-full-again",
        defect="fragments",
        what="cuts the memory of its GPUs into pieces that are too small",
        sequences=64,
    ),
    GpuFull(
        name="gpu-full-left",
        defect="large",
        what="loads a model that nearly fills its GPUs, whatever it is told",
        sequences=64,
        allocator=True,
    ),
    GpuFull(
        name="gpu-leaks",
        defect="leak-slow",
        what="leaks from its start, and its GPUs fill up",
    ),
    GpuCrowded(),
    GpuLost(),
    Hung(),
    Looping(name="crash-loop"),
    Looping(name="crash-loop-memory", defect="leak-fast"),
    MarksTooHigh(),
    MemoryFull(),
    ModelLost(),
    ModelRefused(),
    NodeLost(),
    Paused(),
    QuotaLifted(),
    Restarted(),
    FillingDisk(name="filling-disk", revision=2, log=1_100_000, every=600),
    FillingDisk(name="filling-disk-old-models", revision=6, log=1_500_000, every=600),
    FillingDisk(name="filling-disk-in-use", revision=0, log=100_000, every=5),
    Flood(name="flood", service="largeforge", rate=FLOOD),
    Flood(name="long-requests", service="largeforge", rate=0.5, tokens=64),
    Flood(name="odd-requests", service="largeforge-router", rate=2.0, prompt=ODD),
    Flood(name="overload", service="llm-inference", rate=OVERLOAD),
    Flood(name="overload-at-maximum", service="llm-inference", rate=OVERLOAD, at_maximum=True),
    Flood(name="overload-replicas-coming", service="llm-inference", rate=OVERLOAD, coming=True),
    DiskMistaken(),
    FullVolume(),
    FullVolume(name="full-volume-young", age="1 hour", lasts=True),
    FullVolume(name="full-volume-young-fixed", age="1 hour", lasts=True, expandable=False),
    CorruptModel(name="corrupt-model"),
    CorruptModel(name="corrupt-model-and-backup", backup_too=True),
    CorruptModel(name="corrupt-model-and-restart", restart=True),
    CorruptModel(name="corrupt-model-in-passing", passes=True),
    CorruptModel(name="corrupt-model-in-passing-and-restart", passes=True, restart=True),
    CorruptModel(name="corrupt-model-unlisted", unlisted=True),
    ExpiringCertificate(name="stale-certificate-metric", story=Story.STALE),
    *ON_THE_SSD,
)

FAULTS: Mapping[str, Fault] = {fault.name: fault for fault in _ALL}
