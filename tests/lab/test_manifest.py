"""The shipped manifests, read for the lab."""

from pathlib import Path

import pytest

from healer.lab.contract import Object
from healer.lab.manifest import load, name_of, read

SHIPPED = Path(__file__).parents[2] / "deploy" / "inference"
FOLDERS = [SHIPPED / "llm-inference", SHIPPED / "largeforge"]
LLM = SHIPPED / "llm-inference"


def one(objects: list[Object], name: str) -> Object:
    return next(obj for obj in objects if name_of(obj) == name)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)
def test_without_wishes_everything_is_as_shipped_and_nothing_is_said(folder: Path) -> None:
    said: list[str] = []
    assert load(folder, say=said.append) == read(folder)
    assert said == []


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)
def test_selectors_references_and_namespaces_of_a_folder_fit_together(folder: Path) -> None:
    objects = {obj["kind"]: obj for obj in read(folder)}
    deployment, template = objects["Deployment"], objects["Deployment"]["spec"]["template"]
    labels = template["metadata"]["labels"].items()
    assert labels >= deployment["spec"]["selector"]["matchLabels"].items()
    assert labels >= objects["Service"]["spec"]["selector"].items()
    assert labels >= objects["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"].items()
    target = objects["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]
    assert target["name"] == deployment["metadata"]["name"]
    claim, storage = objects["PersistentVolumeClaim"], objects["StorageClass"]
    assert claim["spec"]["storageClassName"] == storage["metadata"]["name"]
    volumes = {volume["name"]: volume for volume in template["spec"]["volumes"]}
    claimed = volumes["volume"]["persistentVolumeClaim"]["claimName"]
    assert claimed == claim["metadata"]["name"]
    assert volumes["config"]["configMap"]["name"] == objects["ConfigMap"]["metadata"]["name"]
    space = objects["Namespace"]["metadata"]["name"]
    namespaced = [obj for kind, obj in objects.items() if kind not in {"Namespace", "StorageClass"}]
    assert {obj["metadata"]["namespace"] for obj in namespaced} == {space}


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)
def test_a_pod_has_five_minutes_to_start(folder: Path) -> None:
    deployment = next(obj for obj in read(folder) if obj["kind"] == "Deployment")
    probe = deployment["spec"]["template"]["spec"]["containers"][0]["startupProbe"]
    assert probe["periodSeconds"] * probe["failureThreshold"] == 300


def test_each_wish_changes_what_it_names_and_is_said() -> None:
    said: list[str] = []
    found = load(
        LLM,
        sizes={"PersistentVolumeClaim/llm-model-pvc": "300Mi"},
        replicas={"Deployment/llm-inference": 2},
        env={"Deployment/llm-inference": {"INFERENCE_STEP_FLOOR": "0.02"}},
        resources={"Deployment/llm-inference": {"limits": {"memory": "1Gi"}}},
        say=said.append,
    )
    claim = one(found, "PersistentVolumeClaim/llm-model-pvc")
    assert claim["spec"]["resources"]["requests"]["storage"] == "300Mi"
    deployment = one(found, "Deployment/llm-inference")["spec"]
    container = deployment["template"]["spec"]["containers"][0]
    assert deployment["replicas"] == 2
    assert container["resources"] == {"limits": {"memory": "1Gi"}}
    assert container["env"][-1] == {"name": "INFERENCE_STEP_FLOOR", "value": "0.02"}
    assert one(found, "HorizontalPodAutoscaler/llm-inference-hpa")["spec"]["minReplicas"] == 2
    assert len(said) == 5
    assert any("300Mi here, shipped as 200Gi" in line for line in said)


def test_values_of_the_environment_are_not_said() -> None:
    said: list[str] = []
    load(LLM, env={"Deployment/llm-inference": {"TOKEN": "s3cret"}}, say=said.append)
    assert "TOKEN" in said[0]
    assert "s3cret" not in said[0]


def test_a_wish_for_what_is_not_there_is_refused_with_what_is() -> None:
    with pytest.raises(ValueError, match=r"no Deployment/typo; it has .*Deployment/llm-inference"):
        load(LLM, replicas={"Deployment/typo": 1})
