"""ResourceQuotas: how many pods a namespace may hold. Of other things they bound nothing here."""

from healer.lab.api.quantity import quantity
from healer.lab.api.value import dig
from healer.lab.contract import Cluster, Object

_ENDED = frozenset({"Succeeded", "Failed"})


def exceeded(cluster: Cluster, namespace: str) -> str:
    """Why one pod more is refused, in the words of the API server; '' where it is not."""
    for one in cluster.list("resourcequotas", namespace):
        most = dig(one, "spec", "hard", "pods")
        used = sum(map(_counts, cluster.list("pods", namespace)))
        if most is not None and used + 1 > quantity(most):
            name = one["metadata"]["name"]
            told = f"requested: pods=1, used: pods={used}, limited: pods={most}"
            return f"exceeded quota: {name}, {told}"
    return ""


def _counts(pod: Object) -> bool:
    """One that is being deleted counts until it is gone."""
    return dig(pod, "status", "phase") not in _ENDED
