"""Kubernetes objects as far as healer reads them. Unknown fields are dropped, null is as absent."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from healer.kit.quantity import parse_bytes

Object = dict[str, Any]
"""A Kubernetes object as JSON, for patches and for what is copied whole."""

REVISION = "deployment.kubernetes.io/revision"


class Wire(BaseModel):
    """The habit of the API: camelCase, fields left out or null at will, more to come."""

    model_config = ConfigDict(
        alias_generator=to_camel, validate_by_name=True, extra="ignore", frozen=True
    )

    @model_validator(mode="before")
    @classmethod
    def _null_is_absent(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        fields = cast("Object", data)
        return {name: value for name, value in fields.items() if value is not None}


class Owner(Wire):
    """Who looks after an object."""

    kind: str = ""
    name: str = ""
    uid: str = ""
    controller: bool = False


class Metadata(Wire):
    """Name and age of an object."""

    name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    creation_timestamp: datetime | None = None
    deletion_timestamp: datetime | None = None
    labels: Mapping[str, str] = Field(default_factory=dict[str, str])
    annotations: Mapping[str, str] = Field(default_factory=dict[str, str])
    owner_references: tuple[Owner, ...] = ()

    def owned_by(self, uid: str) -> bool:
        """Is its controller the object with that uid?"""
        return any(owner.controller and owner.uid == uid for owner in self.owner_references)


class Condition(Wire):
    """One of an object's conditions."""

    type: str
    status: str
    reason: str = ""
    message: str = ""


class LabelRequirement(Wire):
    """One set-based term of a label selector."""

    key: str
    operator: str
    values: tuple[str, ...] = ()


class LabelSelector(Wire):
    """Which objects are meant. An empty one is refused where it would mean all."""

    match_labels: Mapping[str, str] = Field(default_factory=dict[str, str])
    match_expressions: tuple[LabelRequirement, ...] = ()

    def __str__(self) -> str:
        """As a query writes it; the empty text for the empty selector."""
        equal = [f"{key}={value}" for key, value in sorted(self.match_labels.items())]
        return ",".join([*equal, *(_term(one) for one in self.match_expressions)])


def _term(one: LabelRequirement) -> str:
    match one.operator:
        case "Exists":
            return one.key
        case "DoesNotExist":
            return f"!{one.key}"
        case operator:
            return f"{one.key} {operator.lower()} ({','.join(one.values)})"


class DeploymentSpec(Wire):
    """What is wanted. `template` is kept whole, for a rollback copies it."""

    replicas: int = 1
    paused: bool = False
    selector: LabelSelector = Field(default_factory=LabelSelector)
    template: Object = Field(default_factory=dict[str, Any])


class DeploymentStatus(Wire):
    """What is."""

    observed_generation: int = 0
    replicas: int = 0
    ready_replicas: int = 0
    updated_replicas: int = 0
    available_replicas: int = 0
    conditions: tuple[Condition, ...] = ()


class Deployment(Wire):
    """A workload."""

    metadata: Metadata
    spec: DeploymentSpec
    status: DeploymentStatus = Field(default_factory=DeploymentStatus)

    @property
    def revision(self) -> int:
        """The number of its rollout; 0 where its controller has not seen it yet."""
        return _number(self.metadata.annotations.get(REVISION, ""))

    @property
    def images(self) -> tuple[str, ...]:
        """The images of its containers."""
        return _images(self.spec.template)

    @property
    def stamps(self) -> Mapping[str, str]:
        """The annotations of its pod template."""
        return _stamps(self.spec.template)

    @property
    def rolling(self) -> bool:
        """Is a rollout under way? (As `kubectl rollout status` decides it.)"""
        wanted, status = self.spec.replicas, self.status
        return (
            status.observed_generation < self.metadata.generation
            or status.updated_replicas < wanted
            or status.replicas > status.updated_replicas
            or status.available_replicas < status.updated_replicas
        )

    @property
    def stuck(self) -> str:
        """Why the rollout makes no progress, in the API's words; else the empty text."""
        found = [one for one in self.status.conditions if one.type == "Progressing"]
        late = [one for one in found if one.reason == "ProgressDeadlineExceeded"]
        return late[0].message or late[0].reason if late else ""


class ReplicaSetSpec(Wire):
    """The template of one revision."""

    replicas: int = 0
    template: Object = Field(default_factory=dict[str, Any])


class ReplicaSet(Wire):
    """One revision of a deployment."""

    metadata: Metadata
    spec: ReplicaSetSpec

    @property
    def revision(self) -> int:
        """Which revision it is."""
        return _number(self.metadata.annotations.get(REVISION, ""))

    @property
    def images(self) -> tuple[str, ...]:
        """The images of its containers."""
        return _images(self.spec.template)


class ScaleSpec(Wire):
    """How many are wanted."""

    replicas: int = 0


class ScaleStatus(Wire):
    """How many there are."""

    replicas: int = 0


class Scale(Wire):
    """The scale subresource."""

    metadata: Metadata
    spec: ScaleSpec = Field(default_factory=ScaleSpec)
    status: ScaleStatus = Field(default_factory=ScaleStatus)


class ScaleTarget(Wire):
    """What an autoscaler rules."""

    kind: str = ""
    name: str = ""


class AutoscalerSpec(Wire):
    """Its bounds."""

    scale_target_ref: ScaleTarget = Field(default_factory=ScaleTarget)
    min_replicas: int = 1
    max_replicas: int


class AutoscalerStatus(Wire):
    """What it sees and wants."""

    current_replicas: int = 0
    desired_replicas: int = 0
    conditions: tuple[Condition, ...] = ()


class Autoscaler(Wire):
    """A HorizontalPodAutoscaler (autoscaling/v2)."""

    metadata: Metadata
    spec: AutoscalerSpec
    status: AutoscalerStatus = Field(default_factory=AutoscalerStatus)


class BudgetSpec(Wire):
    """Whom it protects."""

    selector: LabelSelector | None = None


class BudgetStatus(Wire):
    """How much it allows now."""

    disruptions_allowed: int = 0
    current_healthy: int = 0
    desired_healthy: int = 0
    expected_pods: int = 0


class Budget(Wire):
    """A PodDisruptionBudget."""

    metadata: Metadata
    spec: BudgetSpec = Field(default_factory=BudgetSpec)
    status: BudgetStatus = Field(default_factory=BudgetStatus)


class ConfigMap(Wire):
    """Settings as text."""

    metadata: Metadata
    immutable: bool = False
    data: Mapping[str, str] = Field(default_factory=dict[str, str])


class Resources(Wire):
    """Sizes, by name."""

    requests: Mapping[str, str] = Field(default_factory=dict[str, str])


class ClaimSpec(Wire):
    """What storage is wanted."""

    storage_class_name: str = ""
    volume_name: str = ""
    resources: Resources = Field(default_factory=Resources)


class ClaimStatus(Wire):
    """What storage is there."""

    phase: str = ""
    capacity: Mapping[str, str] = Field(default_factory=dict[str, str])
    conditions: tuple[Condition, ...] = ()


class Claim(Wire):
    """A PersistentVolumeClaim."""

    metadata: Metadata
    spec: ClaimSpec = Field(default_factory=ClaimSpec)
    status: ClaimStatus = Field(default_factory=ClaimStatus)

    @property
    def requested(self) -> str:
        """How much it asks for, as it is written; '' for nothing."""
        return self.spec.resources.requests.get("storage", "")

    @property
    def capacity(self) -> str:
        """How much it has, as it is written; '' while it has no volume."""
        return self.status.capacity.get("storage", "")

    @property
    def requested_bytes(self) -> int:
        """The same in bytes; 0 for nothing."""
        return parse_bytes(self.requested) if self.requested else 0

    @property
    def capacity_bytes(self) -> int:
        """The same in bytes; 0 while it has no volume."""
        return parse_bytes(self.capacity) if self.capacity else 0


class Reference(Wire):
    """Which object is meant."""

    kind: str = ""
    name: str = ""
    namespace: str = ""
    uid: str = ""


class Series(Wire):
    """Repetition, as newer writers of events tell it."""

    count: int = 1
    last_observed_time: datetime | None = None


class Event(Wire):
    """Something that happened. Times and counts are null from some writers."""

    metadata: Metadata
    involved_object: Reference = Field(default_factory=Reference)
    type: str = ""
    reason: str = ""
    message: str = ""
    count: int = 1
    first_timestamp: datetime | None = None
    last_timestamp: datetime | None = None
    event_time: datetime | None = None
    series: Series | None = None

    @property
    def last_seen(self) -> datetime | None:
        """The newest time that it carries."""
        series = self.series.last_observed_time if self.series else None
        moments = (
            series, self.last_timestamp, self.event_time, self.first_timestamp,
            self.metadata.creation_timestamp,
        )  # fmt: skip
        return max((one for one in moments if one), default=None)

    @property
    def times(self) -> int:
        """How often."""
        return max(self.count, self.series.count if self.series else 1)


class Template(Wire):
    """What is read of a pod template; the rest is only copied."""

    metadata: Metadata = Field(default_factory=Metadata)


def _stamps(template: Object) -> Mapping[str, str]:
    return Template.model_validate(template).metadata.annotations


def _images(template: Object) -> tuple[str, ...]:
    spec: Any = template.get("spec") or {}
    containers: list[Any] = spec.get("containers") or []
    return tuple(str(one.get("image") or "") for one in containers)


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() else 0
