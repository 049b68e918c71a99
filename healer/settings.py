"""The daemon's configuration: the only reader of healer.yaml and of the environment.

A key that ends in `_file` names a file that holds a secret, or `${NAME}`: the environment
variable that holds it. Secrets are never written into healer.yaml itself, and never shown.
"""

import os
import re
from base64 import b64encode
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    ValidationError,
    model_validator,
)

from healer.errors import ConfigError, Fault
from healer.guard.budget import BudgetParams
from healer.kit.duration import Duration
from healer.kit.secret import File, PresentFile, Secret, SecretFile, World
from healer.model.service import Endpoint, Service, Severity, Target, parse_target
from healer.playbook.document import Document, read
from healer.playbook.loader import first_faults, shape_faults
from healer.playbook.nearest import did_you_mean
from healer.playbook.schema import Address, Matchers, Name, Span, Text

_STRICT = ConfigDict(extra="forbid", strict=True, frozen=True, arbitrary_types_allowed=True)


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _workload(value: object) -> Target:
    if not isinstance(value, str):
        message = "must be a text: namespace/kind/name"
        raise ValueError(message)  # pydantic gives a place only to a ValueError
    return parse_target(value)


def _moment(value: object) -> datetime:
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        message = f"{value!r} is not a moment with a zone: write 2026-01-31T22:00:00+01:00"
        raise ValueError(message)
    return moment


def _word(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z_]\w{0,62}", text, re.ASCII):
        message = f"{text!r} cannot be named in conditions: use letters, digits and _"
        raise ValueError(message)
    return text


def _selector(text: str) -> str:
    if not re.fullmatch(r"[^\"'`\\{}\n]*[^\"'`\\{}\s][^\"'`\\{}\n]*", text):
        message = f"{text!r} is not a label selector: write app=name,tier=other"
        raise ValueError(message)
    return text


SecretFiles = Annotated[list[SecretFile], BeforeValidator(_listed)]
Moment = Annotated[datetime, PlainValidator(_moment)]
Workload = Annotated[Target, PlainValidator(_workload)]
Word = Annotated[str, AfterValidator(_word)]
Selector = Annotated[str, AfterValidator(_selector)]
Port = Annotated[int, Field(ge=0, le=65535)]
Number = Annotated[float, Field(allow_inf_nan=False)]


class Tls(BaseModel):
    """Certificates of the listening socket; with `client_ca`, clients may prove themselves."""

    model_config = _STRICT
    cert: PresentFile
    key: PresentFile
    client_ca: PresentFile | None = None


class Listen(BaseModel):
    """Where the daemon listens."""

    model_config = _STRICT
    host: Text = "127.0.0.1"
    port: Port = 8080
    tls: Tls | None = None


class Basic(BaseModel):
    """A name and a password."""

    model_config = _STRICT
    username: Text
    password_file: SecretFile


class Webhook(BaseModel):
    """How Alertmanager proves itself. Several tokens are valid at once while one is rotated."""

    model_config = _STRICT
    bearer_token_file: SecretFiles = Field(default_factory=list[Secret])
    basic: Basic | None = None


class Prometheus(BaseModel):
    """Where queries go."""

    model_config = _STRICT
    url: Address
    timeout: Span = timedelta(seconds=5)
    bearer_token_file: SecretFile | None = None
    basic: Basic | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.bearer_token_file and self.basic:
            message = "either `bearer_token_file` or `basic`, not both"
            raise ValueError(message)
        return self

    @property
    def headers(self) -> dict[str, str]:
        """What proves who asks; empty where nothing is asked for."""
        if self.bearer_token_file:
            return {"Authorization": f"Bearer {self.bearer_token_file.reveal()}"}
        if self.basic:
            pair = f"{self.basic.username}:{self.basic.password_file.reveal()}"
            return {"Authorization": f"Basic {b64encode(pair.encode()).decode()}"}
        return {}


class Alertmanager(BaseModel):
    """Where silences and missed alerts are asked for; `receiver` is what it calls healer.

    `catch_up`: how often missed alerts are asked for; after two of these an alert that it does not
    know any more counts as resolved. Longer than Prometheus takes to send an alert again.
    """

    model_config = _STRICT
    url: Address
    receiver: Text = "healer"
    catch_up: Span = timedelta(minutes=5)
    bearer_token_file: SecretFile | None = None


class Kubernetes(BaseModel):
    """Which cluster: the one it runs in, or one of a kubeconfig."""

    model_config = _STRICT
    kubeconfig: PresentFile | None = None
    context: Text | None = None
    in_cluster: bool = False

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.in_cluster and (self.kubeconfig or self.context):
            message = "either `in_cluster: true` or `kubeconfig`, not both"
            raise ValueError(message)
        return self


class Slack(BaseModel):
    """The app that posts and, with a signing secret, whose buttons are believed."""

    model_config = _STRICT
    token_file: SecretFile
    signing_secret_file: SecretFile | None = None
    base_url: Address = "https://slack.com/api/"
    proxy: Address | None = None


class PagerDuty(BaseModel):
    """Events wake people; the REST API, where it is configured, takes notes."""

    model_config = _STRICT
    routing_key_file: SecretFile | None = None
    events_url: Address = "https://events.pagerduty.com"
    api_url: Address = "https://api.pagerduty.com"
    api_token_file: SecretFile | None = None
    from_: Text | None = Field(default=None, alias="from")
    proxy: Address | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if bool(self.api_token_file) != bool(self.from_):
            message = "`api_token_file` and `from` (the address of a user) go together"
            raise ValueError(message)
        return self


class MaintenanceWindow(BaseModel):
    """Planned work, during which healer keeps its hands off; no services means all."""

    model_config = _STRICT
    start: Moment
    end: Moment
    services: list[Text] = Field(default_factory=list[str])
    reason: str = ""

    @model_validator(mode="after")
    def _forwards(self) -> Self:
        if self.end <= self.start:
            message = "`end` is not after `start`"
            raise ValueError(message)
        return self


class SeverityPart(BaseModel):
    """What a value of the alert's `severity` label means for a service."""

    model_config = _STRICT
    severity: Text
    pages: bool
    respond_within: Duration


class InferencePart(BaseModel):
    """How the pods' inference server is reached."""

    model_config = _STRICT
    port: Annotated[int, Field(ge=1, le=65535)] = 8000
    admin_key_file: SecretFile | None = None


class ServicePart(BaseModel):
    """A service as it is written; `service()` is what the engine knows."""

    model_config = _STRICT
    name: Name
    match: Matchers
    workload: Workload
    selector: Selector
    inference: InferencePart = InferencePart()
    thresholds: dict[Word, Number] = Field(default_factory=dict[str, float])
    values: dict[Word, str] = Field(default_factory=dict[str, str])
    severities: dict[Text, SeverityPart] = Field(default_factory=dict[str, SeverityPart])
    privileged: list[Text] = Field(default_factory=list[str])
    slack_channel: str = ""
    pagerduty_key_file: SecretFile | None = None

    def service(self, *, routing_key: Secret | None) -> Service:
        """The service; its own routing key, or else the one for all."""
        key = self.pagerduty_key_file or routing_key
        admin = self.inference.admin_key_file
        return Service(
            name=self.name,
            match=tuple(self.match),
            workload=self.workload,
            selector=self.selector,
            inference=Endpoint(port=self.inference.port, admin_key=admin.reveal() if admin else ""),
            thresholds=self.thresholds,
            values=self.values,
            severities={
                label: Severity(
                    name=part.severity, pages=part.pages, respond_within=part.respond_within
                )
                for label, part in self.severities.items()
            },
            privileged=frozenset(self.privileged),
            slack_channel=self.slack_channel,
            pagerduty_key=key.reveal() if key else "",
        )


class Settings(BaseModel):
    """All of healer.yaml. Services stand in `known_services`, ready for the engine."""

    model_config = _STRICT
    api_version: Literal["healer/v1"] = Field(alias="apiVersion")
    kind: Literal["Configuration"]
    listen: Listen = Listen()
    webhook: Webhook = Webhook()
    api_tokens: dict[Text, SecretFile] = Field(default_factory=dict[str, Secret])
    timeline: File = Field(default="healer.db", validate_default=True)
    playbooks: list[File] = Field(min_length=1)
    prometheus: Prometheus | None = None
    alertmanager: Alertmanager | None = None
    kubernetes: Kubernetes = Kubernetes()
    slack: Slack | None = None
    pagerduty: PagerDuty | None = None
    dry_run: bool = False
    maintenance: list[MaintenanceWindow] = Field(default_factory=list[MaintenanceWindow])
    budget: BudgetParams = BudgetParams()
    services: list[ServicePart] = Field(min_length=1)

    @property
    def known_services(self) -> dict[str, Service]:
        """The services by name."""
        key = self.pagerduty.routing_key_file if self.pagerduty else None
        return {part.name: part.service(routing_key=key) for part in self.services}


def load_settings(path: Path, environ: Mapping[str, str] | None = None) -> Settings:
    """The settings in a file; ConfigError with every fault where they cannot be used."""
    document = read(path)
    settings, faults = read_settings(document, environ)
    if settings is None:
        raise ConfigError(faults)
    return settings


def read_settings(
    document: Document, environ: Mapping[str, str] | None = None, *, secrets: bool = True
) -> tuple[Settings | None, tuple[Fault, ...]]:
    """The settings in a document that was read already, or what is wrong with it.

    Without `secrets` they are not looked for, and the settings are good for looking at only.
    """
    if document.broken:
        return None, document.faults
    folder = Path(document.path).parent
    world = World(os.environ if environ is None else environ, folder, secrets)
    faults = [*document.faults, *_strange_names(document)]
    try:
        settings = Settings.model_validate(document.value, context=world)
    except ValidationError as error:
        faults += shape_faults(document, error, Settings)
    else:
        if not faults:
            return settings, ()
    told = first_faults(document, faults)
    return None, tuple(sorted(told, key=lambda fault: (fault.line, fault.column)))


def _strange_names(document: Document) -> Iterator[Fault]:
    """Two services of one name, and maintenance of a service that there is not."""
    names: set[str] = set()
    for at, row in document.rows(("services",)):
        name = str(row.get("name"))
        if name in names:
            yield document.fault((*at, "name"), f"the service `{name}` is there already")
        names.add(name)
    for at, row in document.rows(("maintenance",)):
        listed = row.get("services")
        for index, name in enumerate(listed if isinstance(listed, list) else ()):
            if name not in names:
                message = f"there is no service `{name}`{did_you_mean(str(name), names)}"
                yield document.fault((*at, "services", index), message)
