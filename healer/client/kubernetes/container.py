"""A pod and its containers as the API tells them: what waits, what died, and of what."""

from collections.abc import Iterable
from datetime import datetime

from pydantic import Field

from healer.client.kubernetes.object import Condition, Metadata, Wire

_DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container"
CRASH_LOOP = "CrashLoopBackOff"
OOM_KILLED = "OOMKilled"
_IMAGE_PULL = ("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull")


class Waiting(Wire):
    """Not running yet, or not again."""

    reason: str = ""
    message: str = ""


class Running(Wire):
    """Running since."""

    started_at: datetime | None = None


class Terminated(Wire):
    """Ended, and how."""

    reason: str = ""
    message: str = ""
    exit_code: int = 0
    finished_at: datetime | None = None


class ContainerState(Wire):
    """One of the three."""

    waiting: Waiting | None = None
    running: Running | None = None
    terminated: Terminated | None = None


class ContainerStatus(Wire):
    """How a container does."""

    name: str = ""
    ready: bool = False
    started: bool = False
    restart_count: int = 0
    image: str = ""
    state: ContainerState = Field(default_factory=ContainerState)
    last_state: ContainerState = Field(default_factory=ContainerState)

    @property
    def killed_for_memory(self) -> bool:
        """Did its present or its former life end for want of memory?"""
        ends = (self.state.terminated, self.last_state.terminated)
        return any(end is not None and end.reason == OOM_KILLED for end in ends)

    @property
    def crashed(self) -> bool:
        """Did its present or its former life end with an error?"""
        ends = (self.state.terminated, self.last_state.terminated)
        return any(end is not None and end.exit_code != 0 for end in ends)

    @property
    def waits_for(self) -> str:
        """The reason why it waits; the empty text where it does not wait."""
        return self.state.waiting.reason if self.state.waiting else ""


class StartupProbe(Wire):
    """That there is one; what it asks is not read."""


class ContainerSpec(Wire):
    """A container as wanted; only its name is read, and whether it says itself when it is up."""

    name: str = ""
    startup_probe: StartupProbe | None = None


class ClaimSource(Wire):
    """A volume's claim."""

    claim_name: str = ""


class Volume(Wire):
    """A volume of a pod."""

    name: str = ""
    persistent_volume_claim: ClaimSource | None = None


class PodSpec(Wire):
    """Where a pod runs and with what."""

    node_name: str = ""
    containers: tuple[ContainerSpec, ...] = ()
    volumes: tuple[Volume, ...] = ()


class PodStatus(Wire):
    """How a pod does."""

    phase: str = ""
    reason: str = ""
    message: str = ""
    conditions: tuple[Condition, ...] = ()
    container_statuses: tuple[ContainerStatus, ...] = ()
    init_container_statuses: tuple[ContainerStatus, ...] = ()


class Pod(Wire):
    """A pod. It is ready by its condition: on an unreachable node its containers still say so."""

    metadata: Metadata
    spec: PodSpec = Field(default_factory=PodSpec)
    status: PodStatus = Field(default_factory=PodStatus)

    @property
    def name(self) -> str:
        """Its name."""
        return self.metadata.name

    @property
    def ready(self) -> bool:
        """Does it take traffic? Never while it is being deleted."""
        ready = any(one.type == "Ready" and one.status == "True" for one in self.status.conditions)
        return ready and not self.leaving

    @property
    def leaving(self) -> bool:
        """Is it being deleted?"""
        return self.metadata.deletion_timestamp is not None

    @property
    def running(self) -> bool:
        """Does its container run at this moment, ready or not?"""
        if self.status.phase != "Running" or self.leaving:
            return False
        return any(one.state.running is not None for one in self.status.container_statuses)

    @property
    def statuses(self) -> tuple[ContainerStatus, ...]:
        """Init containers first, as they run."""
        return self.status.init_container_statuses + self.status.container_statuses

    @property
    def unschedulable(self) -> str:
        """Why no node takes it, in the scheduler's words; '' where one does, or none was asked."""
        found = (one for one in self.status.conditions if one.type == "PodScheduled")
        return next((one.message or one.reason for one in found if one.status == "False"), "")

    @property
    def starting(self) -> bool:
        """May it still be loading? Without a startup probe nobody can tell, as long as it is young.

        A container that has passed its startup probe has come up: if it is not ready, it is ill.
        """
        if self.ready:
            return False
        probed = {one.name for one in self.spec.containers if one.startup_probe is not None}
        up = {one.name for one in self.status.container_statuses if one.started}
        return not probed or not probed <= up

    @property
    def restarts(self) -> int:
        """Of all its containers together."""
        return sum(one.restart_count for one in self.statuses)

    @property
    def crash_looping(self) -> bool:
        """Does a container wait before it is started again?"""
        return any(one.waits_for == CRASH_LOOP for one in self.statuses)

    @property
    def crashed(self) -> bool:
        """Is it not ready, after a container of it ended with an error?"""
        return not self.ready and any(one.crashed for one in self.statuses)

    @property
    def oom_killed(self) -> bool:
        """Was a container killed for want of memory, now or last time?"""
        return any(one.killed_for_memory for one in self.statuses)

    @property
    def image_missing(self) -> bool:
        """Does a container wait for an image that cannot be had?"""
        return any(one.waits_for in _IMAGE_PULL for one in self.statuses)

    @property
    def claims(self) -> tuple[str, ...]:
        """The volume claims that it mounts, by name."""
        sources = (volume.persistent_volume_claim for volume in self.spec.volumes)
        return tuple(source.claim_name for source in sources if source)

    @property
    def main_container(self) -> str:
        """The container that logs and exec mean, as kubectl chooses it; '' for the only one."""
        if len(self.spec.containers) <= 1:
            return ""
        chosen = self.metadata.annotations.get(_DEFAULT_CONTAINER, "")
        return chosen or self.spec.containers[0].name

    @property
    def trouble(self) -> str:
        """Why it is not ready, in the API's own words; the empty text where it is."""
        return "" if self.ready else next(iter(_reasons(self)), self.status.phase or "not ready")


def crashing(pods: Iterable[Pod]) -> bool:
    """Does one wait before its next life, or has every one crashed at least once?"""
    found = [pod for pod in pods if not pod.leaving]
    crashed = sum(pod.crashed for pod in found)
    return any(pod.crash_looping for pod in found) or 0 < crashed == len(found)


def _reasons(pod: Pod) -> list[str]:
    if pod.leaving:
        return ["Terminating"]
    waiting = [one.waits_for for one in pod.statuses if one.waits_for]
    conditions = [
        f"{one.reason}: {one.message}" if one.message else one.reason
        for one in pod.status.conditions
        if one.status == "False" and one.reason and one.reason != "ContainersNotReady"
    ]
    own = [pod.status.reason] if pod.status.reason else []
    return [*own, *waiting, *conditions]
