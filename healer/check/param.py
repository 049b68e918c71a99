"""What the parameters of all checks have in common: no unknown names."""

from pydantic import BaseModel, ConfigDict


class Params(BaseModel):
    """Parameters as a playbook gives them."""

    model_config = ConfigDict(extra="forbid", frozen=True)
