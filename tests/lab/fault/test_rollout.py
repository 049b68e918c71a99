"""What a release changes in a container, and what it leaves as it was."""

from typing import Any

from healer.lab.fault.rollout import with_environment, without

CONTAINER: dict[str, Any] = {
    "name": "server",
    "env": [
        {"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
        {"name": "LOW", "value": "0.02"},
    ],
    "livenessProbe": {"periodSeconds": 10},
}


def test_variables_are_set_whether_or_not_they_were_there_and_all_others_stay() -> None:
    changed = with_environment({"LOW": "0.4", "CRITICAL": "0.3"})(CONTAINER)

    pod_ip, *rest = changed["env"]
    assert pod_ip == CONTAINER["env"][0]
    assert rest == [{"name": "LOW", "value": "0.4"}, {"name": "CRITICAL", "value": "0.3"}]
    assert changed["livenessProbe"] == CONTAINER["livenessProbe"]


def test_a_field_that_is_left_out_is_gone_and_no_other() -> None:
    assert without("livenessProbe")(CONTAINER).keys() == {"name", "env"}


def test_what_was_before_is_kept_to_be_put_back() -> None:
    with_environment({"LOW": "0.4"})(CONTAINER)
    without("env")(CONTAINER)

    assert CONTAINER["env"][1] == {"name": "LOW", "value": "0.02"}
