"""The manifests build, are safe, and hold what the daemon really asks for."""

import re
import shutil
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from healer.app.vocabulary import vocabulary
from healer.playbook.document import read
from healer.playbook.loader import load
from healer.settings import Settings, read_settings

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
SERVICES = sorted(path.parent.name for path in DEPLOY.glob("inference/*/kustomization.yaml"))
IMAGES = sorted(DEPLOY.rglob("Dockerfile"))
needs_kubectl = pytest.mark.skipif(shutil.which("kubectl") is None, reason="needs kubectl")
Manifest = dict[str, Any]


@cache
def _built(folder: str) -> Mapping[str, Manifest]:
    """What Kustomize makes of a folder, by kind and name; generated names without their hash."""
    command = ["kubectl", "kustomize", str(DEPLOY / folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=50)
    assert done.returncode == 0, done.stderr
    found = list(yaml.safe_load_all(done.stdout))
    return {f"{one['kind']}/{_name(one)}": one for one in found}


def _name(one: Manifest) -> str:
    name = str(one["metadata"]["name"])
    if one["kind"] == "ConfigMap":
        name = re.sub(r"-[a-z0-9]{10}$", "", name)
    return f"{one['metadata'].get('namespace', '')}/{name}"


def _settings() -> Settings:
    settings, faults = read_settings(read(DEPLOY / "healer" / "healer.yaml"), {}, secrets=False)
    assert settings is not None, faults
    return settings


@needs_kubectl
def test_everything_builds_together() -> None:
    whole = _built(".")
    for folder in ("healer", *(f"inference/{name}" for name in SERVICES)):
        assert _built(folder).keys() <= whole.keys()


@needs_kubectl
def test_the_playbooks_in_the_cluster_are_those_of_the_repository() -> None:
    data = _built("healer")["ConfigMap/healer/healer-playbooks"]["data"]
    shipped = {path.name: path.read_text() for path in (ROOT / "playbooks").glob("*.yaml")}
    assert data == shipped, "list them anew: ./dev ship"


@needs_kubectl
def test_the_rights_in_the_cluster_are_the_printed_ones() -> None:
    printed = list(yaml.safe_load_all((DEPLOY / "healer" / "rbac.yaml").read_text()))
    built = _built("healer")
    roles = [one for one in built.values() if one["apiVersion"].startswith("rbac.")]
    assert sorted(map(_key, roles)) == sorted(map(_key, printed))
    assert all(one in printed for one in roles)


def _key(one: Manifest) -> str:
    return f"{one['kind']}/{_name(one)}"


def test_the_configuration_fits_every_playbook() -> None:
    loaded = load([ROOT / "playbooks"], vocabulary(_settings()), _settings().known_services)
    assert loaded.faults == ()
    assert len(loaded.playbooks) == len(list((ROOT / "playbooks").glob("*.yaml")))


@needs_kubectl
def test_every_secret_that_the_configuration_names_is_told_to_whoever_installs() -> None:
    text = (DEPLOY / "healer" / "healer.yaml").read_text()
    named = set(re.findall(r"secrets/([a-z-]+)", text))
    told = (DEPLOY / "healer" / "deployment.yaml").read_text()
    assert named == set(re.findall(r"--from-file=([a-z-]+)", told))
    assert "kind: Secret" not in told


@needs_kubectl
def test_healer_runs_without_root_and_writes_only_where_it_must() -> None:
    pod = _built("healer")["Deployment/healer/healer"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] > 0
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    writable = {one["mountPath"] for one in container["volumeMounts"] if not one.get("readOnly")}
    assert writable == {"/tmp", "/var/lib/healer"}
    assert _settings().timeline.is_relative_to("/var/lib/healer")


@needs_kubectl
def test_what_the_pod_mounts_is_there() -> None:
    built = _built("healer")
    pod = built["Deployment/healer/healer"]["spec"]["template"]["spec"]
    names = {one["metadata"]["name"] for one in built.values()}
    for volume in pod["volumes"]:
        if "configMap" in volume:
            assert volume["configMap"]["name"] in names
        if "persistentVolumeClaim" in volume:
            assert volume["persistentVolumeClaim"]["claimName"] in names
    assert {one["name"] for one in pod["volumes"]} == {
        one["name"] for one in pod["containers"][0]["volumeMounts"]
    }


@needs_kubectl
def test_healer_is_one_pod_that_is_probed_where_it_listens() -> None:
    deployment = _built("healer")["Deployment/healer/healer"]["spec"]
    assert (deployment["replicas"], deployment["strategy"]["type"]) == (1, "Recreate")
    (container,) = deployment["template"]["spec"]["containers"]
    assert container["ports"] == [{"name": "http", "containerPort": _settings().listen.port}]
    probes = {name: container[name]["httpGet"]["path"] for name in _PROBES}
    assert probes == {
        "startupProbe": "/healthz",
        "livenessProbe": "/healthz",
        "readinessProbe": "/readyz",
    }


_PROBES = ("startupProbe", "livenessProbe", "readinessProbe")


@needs_kubectl
def test_nobody_reaches_healer_but_monitoring() -> None:
    policy = _built("healer")["NetworkPolicy/healer/healer"]["spec"]
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    (ingress,) = policy["ingress"]
    assert [one["port"] for one in ingress["ports"]] == [_settings().listen.port]
    assert ingress["from"], "an empty list would let everybody in"
    labels = _built("healer")["Deployment/healer/healer"]["spec"]["template"]["metadata"]["labels"]
    assert policy["podSelector"]["matchLabels"].items() <= labels.items()


@needs_kubectl
@pytest.mark.parametrize(
    ("service", "bounds", "kept"), [("llm-inference", (3, 10), 2), ("largeforge", (2, 8), 1)]
)
def test_an_inference_service_has_time_to_load_and_is_never_scaled_or_drained_to_nothing(
    service: str, bounds: tuple[int, int], kept: int
) -> None:
    built = _built(f"inference/{service}")
    (deployment,) = (one for one in built.values() if one["kind"] == "Deployment")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    startup = container["startupProbe"]
    assert startup["periodSeconds"] * startup["failureThreshold"] >= 300
    assert {"readinessProbe", "livenessProbe"} <= container.keys()
    (scaler,) = (one["spec"] for one in built.values() if "Autoscaler" in one["kind"])
    assert (scaler["minReplicas"], scaler["maxReplicas"]) == bounds
    assert scaler["scaleTargetRef"]["name"] == deployment["metadata"]["name"]
    (budget,) = (one["spec"] for one in built.values() if "Budget" in one["kind"])
    assert budget["minAvailable"] == kept
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert budget["selector"]["matchLabels"].items() <= labels.items()
    assert any(one["kind"] == "PersistentVolumeClaim" for one in built.values())
    (config,) = (one["data"] for one in built.values() if one["kind"] == "ConfigMap")
    assert {"maxNumSeqs", "gpuMemoryUtilization"} <= config.keys()


@needs_kubectl
def test_the_services_of_the_configuration_are_those_that_are_deployed() -> None:
    whole = _built(".")
    for service in _settings().known_services.values():
        at = service.workload
        deployment = whole[f"Deployment/{at.namespace}/{at.name}"]
        labels = deployment["spec"]["template"]["metadata"]["labels"]
        assert dict([service.selector.split("=")]).items() <= labels.items()
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        assert container["ports"][0]["containerPort"] == service.inference.port
        claim, config = service.values.get("cache_claim"), service.values.get("config")
        for kind, name in (("PersistentVolumeClaim", claim), ("ConfigMap", config)):
            assert name is None or f"{kind}/{at.namespace}/{name}" in whole


@pytest.mark.parametrize("path", IMAGES, ids=[path.parent.name for path in IMAGES])
def test_an_image_is_built_of_what_is_there_and_does_not_run_as_root(path: Path) -> None:
    lines = path.read_text().splitlines()
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    sent = {line[1:] for line in ignored if line.startswith("!")}
    for line in lines:
        if line.startswith("COPY ") and "--from" not in line:
            for source in line.split()[1:-1]:
                assert (ROOT / source).exists()
                assert source in sent
    (user,) = (line.split()[1] for line in lines if line.startswith("USER "))
    assert user == "65532:65532"
    assert max(i for i, one in enumerate(lines) if one.startswith("USER ")) > max(
        i for i, one in enumerate(lines) if one.startswith("RUN ")
    )
