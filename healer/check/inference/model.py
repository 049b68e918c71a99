"""inference.model: are the files of the model and of its backup what was sealed, byte for byte?"""

from collections.abc import Sequence

from healer.check.contract import CheckContext, Kinds
from healer.check.inference.server import hear, server_permissions
from healer.check.param import Params
from healer.client.inference import ModelFiles, one_running_per_volume
from healer.client.kubernetes.cluster import Kubernetes
from healer.model.effect import Permission
from healer.model.outcome import Finding


class ModelParams(Params):
    """It needs none: each server knows its model and its backup."""


class Model:
    """Holds where every model is sound. One server of each volume is asked, ready or not.

    Evidence: sound, faults (how many), first (the first fault in words), restorable (from a backup
    that is sound itself, with room for it), cause (`backup`, `space` or `model`, of what cannot be
    restored; else ''), refusal (the same in words), volumes. While a server still reads, unknown.
    """

    name = "inference.model"
    params = ModelParams
    evidence = Kinds(
        {
            **dict.fromkeys(("sound", "restorable"), bool),
            **dict.fromkeys(("faults", "volumes"), int),
            **dict.fromkeys(("first", "cause", "refusal"), str),
        }
    )

    def __init__(self, kubernetes: Kubernetes) -> None:
        self._pods = kubernetes.pods

    def permissions(self, params: ModelParams, *, namespace: str) -> Sequence[Permission]:
        """Finding the pods and asking them."""
        return server_permissions(namespace)

    async def look(self, params: ModelParams, ctx: CheckContext) -> Finding:
        """Ask; a volume that nobody tells of leaves the whole unknown."""
        pods = await self._pods.select(ctx.target.namespace, ctx.service.selector)
        heard = await hear(
            self._pods, one_running_per_volume(pods), ctx, lambda server: server.model_files()
        )
        told = list(heard.demand_all("how its model is").values())
        faults = [fault for one in told for fault in one.faults]
        stuck = next((one for one in told if one.cause), None)
        sound = all(one.sound for one in told)
        return Finding(
            check=ctx.id,
            holds=sound,
            summary=_summary(told, faults, stuck),
            evidence={
                "sound": sound,
                "faults": len(faults),
                "first": faults[0] if faults else "",
                "restorable": stuck is None,
                "cause": stuck.cause if stuck else "",
                "refusal": stuck.refusal if stuck else "",
                "volumes": len(told),
            },
        )


def _summary(told: list[ModelFiles], faults: list[str], stuck: ModelFiles | None) -> str:
    folders = ", ".join(sorted({one.folder for one in told}))
    first = f"{folders} is sound"
    if faults:
        first = f"{len(faults)} faults in {folders}: {faults[0]}"
    return f"{first}; {stuck.refusal}" if stuck else f"{first}; the backup is sound"
