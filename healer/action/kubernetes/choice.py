"""Which pod is meant: by name, or by a word that makes sense at three in the morning."""

from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum

from healer.action.contract import StepContext
from healer.client.kubernetes.container import Pod
from healer.client.kubernetes.pod import Pods
from healer.errors import PermanentError

_UNKNOWN_AGE = datetime.max.replace(tzinfo=UTC)


class NobodyError(PermanentError):
    """No pod is meant."""


class Select(StrEnum):
    """How to choose one of the service's pods."""

    NOT_READY = "not-ready"
    OLDEST = "oldest"
    MOST_RESTARTED = "most-restarted"
    OOM_KILLED = "oom-killed"
    READY = "ready"


async def find_pod(pods: Pods, ctx: StepContext, *, name: str | None, select: Select) -> Pod:
    """The one pod; it must be one of the service's own, whatever its name says."""
    namespace, selector = ctx.target.namespace, ctx.service.selector
    found = [pod for pod in await pods.select(namespace, selector) if not pod.leaving]
    if name is not None:
        found = [pod for pod in found if pod.name == name]
        what = f"no pod {name} that {selector} selects"
    else:
        found = _fitting(found, select)
        what = f"no pod that is {select.value}"
    if not found:
        message = f"{namespace} has {what}: nothing to do"
        raise NobodyError(message)
    return found[0]


def _fitting(pods: Sequence[Pod], select: Select) -> list[Pod]:
    """The best first; the name decides between equals, so that the choice is stable."""
    match select:
        case Select.NOT_READY:
            return [pod for pod in pods if not pod.ready]
        case Select.READY:
            return [pod for pod in pods if pod.ready]
        case Select.OOM_KILLED:
            return [pod for pod in pods if pod.oom_killed]
        case Select.OLDEST:
            return sorted(pods, key=lambda pod: pod.metadata.creation_timestamp or _UNKNOWN_AGE)
        case Select.MOST_RESTARTED:
            return sorted((pod for pod in pods if pod.restarts), key=lambda pod: -pod.restarts)
