"""Who may do what in the lab: an administrator, and healer with its shipped rights alone."""

from pathlib import Path

import yaml

from healer.lab.api.rbac import MASTERS, Identity, service_account
from healer.lab.api.resource import RESOURCES
from healer.lab.contract import Object

ADMIN = Identity(user="lab-admin", groups=frozenset({MASTERS}))
HEALER = service_account("healer", "healer")
SHIPPED = Path(__file__).parents[2] / "deploy" / "healer" / "rbac.yaml"
"""What `healer playbook rbac` prints for the shipped playbooks."""

_PLURALS = {resource.kind: resource.plural for resource in RESOURCES}


def grants(namespace: str, *, shipped: Path = SHIPPED) -> tuple[tuple[str, Object], ...]:
    """The roles of healer in a namespace and in the cluster, with their bindings; as shipped.

    A right that is missing there is missing in the lab, and the drill that needs it fails.
    """
    with shipped.open() as file:
        objects: list[Object] = list(yaml.safe_load_all(file))
    return tuple(
        (_PLURALS[one["kind"]], one)
        for one in objects
        if one["metadata"].get("namespace", namespace) == namespace
    )
