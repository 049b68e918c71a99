"""The configuration: all of it is read, all that is wrong is told, and secrets never are."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healer.errors import ConfigError
from healer.kit.secret import Secret
from healer.playbook.document import parse
from healer.settings import Settings, load_settings, read_settings

EXAMPLE = Path(__file__).parents[1] / "docs" / "healer.example.yaml"
VARIABLES = (
    "HEALER_WEBHOOK_TOKEN",
    "HEALER_WEBHOOK_TOKEN_NEXT",
    "HEALER_API_TOKEN",
    "SLACK_BOT_TOKEN",
    "SLACK_SIGNING_SECRET",
    "PAGERDUTY_ROUTING_KEY",
    "PAGERDUTY_API_TOKEN",
    "INFERENCE_ADMIN_KEY",
    "LLM_INFERENCE_ROUTING_KEY",
)
ENVIRON = {name: f"secret-of-{name.lower()}" for name in VARIABLES}
SERVICE = """
services:
  - name: api
    match: ['service="api"']
    workload: production/deployment/api
    selector: app=api
"""
SMALLEST = f"""apiVersion: healer/v1
kind: Configuration
playbooks: [playbooks]
{SERVICE}"""


def _load(folder: Path, text: str, environ: Mapping[str, str] | None = None) -> Settings:
    path = folder / "healer.yaml"
    path.write_text(text)
    return load_settings(path, environ or {})


def _messages(folder: Path, text: str, environ: Mapping[str, str] | None = None) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        _load(folder, text, environ)
    return [f"{fault.line}:{fault.column}: {fault.message}" for fault in caught.value.faults]


def test_the_example_loads_whole() -> None:
    settings = load_settings(EXAMPLE, ENVIRON)
    service = settings.known_services["llm-inference"]
    assert str(service.workload) == "production/deployment/llm-inference"
    assert service.owns({"service": "llm-inference"})
    assert not service.owns({"service": "other"})
    assert service.thresholds["ssd_free_gb"] == 20
    assert service.inference.admin_key == "secret-of-inference_admin_key"
    assert service.pagerduty_key == "secret-of-llm_inference_routing_key"
    assert service.severities["critical"].name == "P1"
    assert service.severities["critical"].respond_within == timedelta(minutes=15)
    assert settings.maintenance[0].start == datetime(2026, 3, 1, 21, tzinfo=UTC)
    assert [token.reveal() for token in settings.webhook.bearer_token_file] == [
        "secret-of-healer_webhook_token",
        "secret-of-healer_webhook_token_next",
    ]
    assert settings.budget.limit == 3


def test_no_secret_of_the_example_is_ever_printed() -> None:
    settings = load_settings(EXAMPLE, ENVIRON)
    shown = repr(settings) + str(settings) + repr(settings.known_services)
    assert "secret-of" not in shown
    assert "<secret>" in shown
    assert f"{Secret('x')} {Secret('x')!r}" == "<secret> <secret>"


def test_the_smallest_configuration_listens_on_this_machine_only(tmp_path: Path) -> None:
    settings = _load(tmp_path, SMALLEST)
    assert settings.listen.host == "127.0.0.1"
    assert settings.listen.port == 8080
    assert settings.timeline == tmp_path / "healer.db"
    assert settings.playbooks == [tmp_path / "playbooks"]
    assert settings.dry_run is False


def test_a_service_without_a_routing_key_uses_the_one_for_all(tmp_path: Path) -> None:
    text = SMALLEST + "pagerduty: {routing_key_file: '${KEY}'}\n"
    settings = _load(tmp_path, text, {"KEY": "r0uting"})
    assert settings.known_services["api"].pagerduty_key == "r0uting"


def test_a_secret_is_read_from_a_file_beside_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("xoxb-1\n")
    settings = _load(tmp_path, SMALLEST + "slack: {token_file: token}\n")
    assert settings.slack is not None
    assert settings.slack.token_file.reveal() == "xoxb-1"
    assert settings.slack.base_url == "https://slack.com/api/"


def test_a_secret_written_in_place_of_its_file_is_refused_and_not_repeated(tmp_path: Path) -> None:
    (message,) = _messages(tmp_path, SMALLEST + "slack: {token_file: xoxb-geheim}\n")
    assert "cannot be read (No such file or directory)" in message
    assert "${NAME} for a variable" in message
    assert "geheim" not in message


def test_a_variable_that_is_not_set_is_named(tmp_path: Path) -> None:
    (message,) = _messages(tmp_path, SMALLEST + "slack: {token_file: '${SLACK}'}\n")
    assert message.endswith("the environment variable SLACK is empty or not there")


def test_an_empty_secret_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(" \n")
    (message,) = _messages(tmp_path, SMALLEST + "api_tokens: {ann: token}\n")
    assert "empty" in message


def test_the_home_folder_is_the_one_of_the_environment(tmp_path: Path) -> None:
    (tmp_path / "kube").write_text("{}")
    text = SMALLEST + "kubernetes: {kubeconfig: ~/kube}\n"
    settings = _load(tmp_path, text, {"HOME": str(tmp_path)})
    assert settings.kubernetes.kubeconfig == tmp_path / "kube"


def test_all_faults_are_told_at_once_each_at_its_place(tmp_path: Path) -> None:
    text = """apiVersion: healer/v1
kind: Configuration
playbooks: []
listen: {prot: 8080}
kubernetes: {in_cluster: true, context: x}
services:
  - name: api
    match: ['severity!="info"']
    workload: production/api
    selector: app=api
    thresholds: {ssd-free: 3}
"""
    messages = _messages(tmp_path, text)
    assert [message.partition(": ")[0] for message in messages] == [
        "3:12",
        "4:10",
        "5:13",
        "8:12",
        "9:15",
        "11:18",
    ]
    whole = "\n".join(messages)
    assert "unknown key `prot`; did you mean `port`?" in whole
    assert "must have at least 1 entry" in whole
    assert "either `in_cluster: true` or `kubeconfig`, not both" in whole
    assert "holds for any alert at all" in whole
    assert "a target is namespace/kind/name" in whole
    assert "'ssd-free' cannot be named in conditions" in whole


@pytest.mark.parametrize(
    ("addition", "expected"),
    [
        ("listen: {port: 70000}", "must be at most 65535, not 70000"),
        ("listen: {port: '8080'}", "must be a whole number, not '8080'"),
        ("listen: {tls: {cert: nope.crt, key: nope.key}}", "there is no such file"),
        ("prometheus: {url: localhost:9090}", "is not an address: write https://"),
        ("prometheus: {url: 'http://p', timeout: 5}", "5 has no unit"),
        ("budget: {limit: 0}", "must be at least 1, not 0"),
        ("budget: {window: 1x}", "write a duration like"),
        ("dry_run: yes", "write true or false"),
        ("maintenance: [{start: 2026-01-01, end: 2026-01-02}]", "is not a moment with a zone"),
        (
            "maintenance: [{start: 2026-01-02T00:00:00Z, end: 2026-01-01T00:00:00Z}]",
            "`end` is not after `start`",
        ),
        (
            "maintenance: [{start: 2026-01-01T00Z, end: 2026-01-02T00Z, services: [apo]}]",
            "there is no service `apo`; did you mean `api`?",
        ),
        ("pagerduty: {from: healer@example.com}", "go together"),
        ("slack: {token: xoxb}", "unknown key `token`; did you mean `token_file`?"),
        ("api_tokens: [a]", "must be a mapping, not a list"),
        ("timelin: x.db", "unknown key `timelin`; did you mean `timeline`?"),
    ],
)
def test_what_is_wrong_is_told_with_what_would_be_right(
    tmp_path: Path, addition: str, expected: str
) -> None:
    messages = _messages(tmp_path, f"{SMALLEST}{addition}\n")
    assert any(expected in message for message in messages), messages


def test_two_services_of_one_name_are_refused(tmp_path: Path) -> None:
    (message,) = _messages(tmp_path, SMALLEST + SERVICE.replace("services:\n", "").lstrip("\n"))
    assert message.endswith("the service `api` is there already")


def test_a_configuration_that_is_not_there_is_a_fault_not_a_crash(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"healer\.yaml:1:1: no such file"):
        load_settings(tmp_path / "healer.yaml", {})


@given(st.text() | st.text(alphabet="{}[]:-&*!|>'\"%@`# \n\tab1"))
def test_no_text_breaks_the_reader(text: str) -> None:
    settings, faults = read_settings(parse(text.encode(), path="healer.yaml"), {})
    assert settings is None
    assert faults
