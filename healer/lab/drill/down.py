"""Drills on services of which no replica is ready."""

from healer.lab.drill.scenario import Ending, Scenario

DRILLS = (
    Scenario(
        name="INC-003",
        fault="release-model-missing",
        what="a release names a model that is not there, and all pods crash",
        remedy="bad-release",
    ),
    Scenario(
        name="INC-003.starting",
        fault="pods-deleted",
        what="all pods are deleted at once, and come again by themselves, slowly",
        remedy="starting",
    ),
    Scenario(
        name="INC-003.gpu",
        fault="gpu-lost",
        what="the node loses its GPUs, and the pods find no place",
        remedy="no-room",
        ending=Ending.UNTOUCHED,
    ),
    Scenario(
        name="INC-003.gone",
        fault="deployment-gone",
        what="somebody deletes the deployment",
        remedy="deployment-gone",
        ending=Ending.UNTOUCHED,
    ),
    Scenario(
        name="INC-003.no-pods",
        fault="quota-lifted",
        what="all pods are lost after a quota was in the way, and none is made anew for long",
        remedy="no-pods",
    ),
    Scenario(
        name="INC-003.paused",
        fault="rollout-paused",
        what="the rollout is paused, and the pods go with their ReplicaSet",
        remedy="rollout-paused",
        ending=Ending.UNTOUCHED,
    ),
    Scenario(
        name="INC-003.hung",
        fault="servers-hang",
        what="the servers hang: their pods run, and none is ready",
        remedy="not-ready",
        ending=Ending.UNTOUCHED,
    ),
    Scenario(
        name="INC-003.node",
        fault="node-lost",
        what="the only node is not ready, and so none of its pods is",
        remedy="no-node",
        ending=Ending.UNTOUCHED,
        incidents=2,  # the prober of its certificate is on that node too: MetricsMissing
    ),
    Scenario(
        name="INC-003.unsound",
        fault="model-refused",
        what="the servers refuse a model of which a bit flipped, and its backup is no better",
        remedy="model-unsound",
        ending=Ending.UNTOUCHED,
        incidents=2,
    ),
    Scenario(
        name="INC-003.model",
        fault="model-lost",
        what="the model is moved away on the volume, and all pods crash that start anew",
        remedy="model-missing",
        ending=Ending.UNTOUCHED,
        beside=1,  # ModelIntegrityCheckFailed
    ),
    Scenario(
        name="INC-003.memory",
        fault="release-memory",
        what="the pods are killed for want of memory, and there is no revision to go back to",
        remedy="out-of-memory",
        ending=Ending.UNTOUCHED,
        beside=1,  # ContainerOOMKilled
    ),
    Scenario(
        name="INC-003.no-gpu",
        fault="release-gpu",
        what="the pods find no GPU that works, and there is no revision to go back to",
        remedy="gpu-missing",
        ending=Ending.UNTOUCHED,
    ),
    Scenario(
        name="INC-003.crash",
        fault="release-flag",
        what="all pods crash for a reason of their own, and there is no revision to go back to",
        remedy="crash-loop",
        ending=Ending.UNTOUCHED,
    ),
)
