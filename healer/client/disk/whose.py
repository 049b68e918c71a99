"""Whose disk is meant: a pod that is asked, where there is no doubt which volume that is."""

from collections.abc import Sequence

from healer.client.inference import one_per_volume
from healer.client.kubernetes.container import Pod
from healer.errors import PermanentError, TemporaryError


def holder_of(pods: Sequence[Pod], *, name: str | None, whose: str) -> Pod:
    """The pod of that name, or any ready one where all of them share one volume."""
    chosen = [pod for pod in pods if pod.name == name and pod.ready]
    if name is None:
        chosen = one_per_volume(pods)
    if not chosen:
        wanted = f"pod {name} is" if name else "pod is"
        message = f"{whose}: no {wanted} ready, so nobody can be asked about the disk"
        raise TemporaryError(message)
    if len(chosen) > 1:
        message = f"{whose} has {len(chosen)} volumes: say whose is meant (pod: …)"
        raise PermanentError(message)
    return chosen[0]
