"""What the parameters of all checks have in common: no unknown names, and names that are names."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints

ObjectName = Annotated[
    str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$", strip_whitespace=True)
]
"""The name of a Kubernetes object."""

Selector = Annotated[str, StringConstraints(min_length=1, max_length=1000, strip_whitespace=True)]
"""A label selector. An empty one would mean everything, so there is none."""


class Params(BaseModel):
    """Parameters as a playbook gives them."""

    model_config = ConfigDict(extra="forbid", frozen=True)
