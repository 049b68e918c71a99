"""What the parameters of all actions have in common: no unknown names, and names that are names."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints

ObjectName = Annotated[
    str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$", strip_whitespace=True)
]
"""The name of a Kubernetes object."""


class Params(BaseModel):
    """Parameters as a playbook gives them. What `prepare` adds stands in fields of its own."""

    model_config = ConfigDict(extra="forbid", frozen=True)
