"""The shipped manifests of the router: they fit together, and its experts can be read."""

from pathlib import Path
from typing import Any

import yaml

from inference.router.settings import load

FOLDER = Path(__file__).parents[3] / "deploy" / "inference" / "largeforge-router"


def shipped() -> dict[str, Any]:
    listing = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())
    found = [yaml.safe_load((FOLDER / name).read_text()) for name in listing["resources"]]
    return {each["kind"]: each for each in found}


def test_the_shipped_experts_and_flags_are_read(tmp_path: Path) -> None:
    objects = shipped()
    (tmp_path / "experts.yaml").write_text(objects["ConfigMap"]["data"]["experts.yaml"])
    (container,) = objects["Deployment"]["spec"]["template"]["spec"]["containers"]
    first, *flags = container["args"]
    assert first == "router"
    here = [flag.replace("/etc/router", str(tmp_path)) for flag in flags]
    settings, experts = load(here, {})
    assert settings.port == container["ports"][0]["containerPort"]
    assert experts.fallback == "general"


def test_selectors_and_references_fit_together() -> None:
    objects = shipped()
    template = objects["Deployment"]["spec"]["template"]
    labels = template["metadata"]["labels"].items()
    assert labels >= objects["Deployment"]["spec"]["selector"]["matchLabels"].items()
    assert labels >= objects["Service"]["spec"]["selector"].items()
    assert labels >= objects["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"].items()
    (volume,) = template["spec"]["volumes"]
    assert volume["configMap"]["name"] == objects["ConfigMap"]["metadata"]["name"]
    assert dict(labels)["app.kubernetes.io/name"] == "largeforge-router"
