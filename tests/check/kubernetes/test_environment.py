"""kubernetes.env over the lab's API server."""

import pytest

from healer.check.contract import CheckContext
from healer.check.kubernetes.environment import Env, EnvParams
from healer.lab.contract import Object
from tests.fakes.lab import NAMESPACE, Lab

PARAMS = EnvParams(name="MODE")
SECRET = {"secretKeyRef": {"name": "keys", "key": "a"}}


@pytest.mark.parametrize(
    ("variable", "holds", "value"),
    [
        ({"name": "MODE", "value": "fast"}, True, "fast"),
        ({"name": "MODE", "valueFrom": SECRET}, True, ""),
        ({"name": "MODEL", "value": "x"}, False, ""),
    ],
)
async def test_a_variable_is_set_or_not_and_its_own_rights_are_enough(
    lab: Lab, ctx: CheckContext, variable: Object, *, holds: bool, value: str
) -> None:
    def change(deployment: Object) -> None:
        deployment["spec"]["template"]["spec"]["containers"][0]["env"] = [variable]

    lab.change("deployments", "api", change)
    check = Env(lab.healer)
    lab.grant(check.permissions(PARAMS, namespace=NAMESPACE))

    found = await check.look(PARAMS, ctx)

    assert found.holds is holds
    assert found.evidence == {"set": holds, "value": value}
