"""Drills on models whose files go bad."""

from datetime import timedelta

from healer.lab.drill.scenario import Ending, Scenario

EXPECTED, WITHIN = "2 to 10 min", timedelta(minutes=10)

DRILLS = (
    Scenario(
        name="SCENARIO-6",
        fault="corrupt-model",
        what="a bit flips in the weights of the model, on the volume",
        remedy="restore",
        expected=EXPECTED,
        within=WITHIN,
    ),
    Scenario(
        name="SCENARIO-6.pod",
        fault="corrupt-model-and-restart",
        what="a bit flips in the weights of the model, and a pod has to start with it",
        remedy="restore-and-replace",
        expected=EXPECTED,
        within=WITHIN,
    ),
    Scenario(
        name="SCENARIO-6.backup",
        fault="corrupt-model-and-backup",
        what="a bit flips in the weights of the model, and one in those of its backup",
        remedy="no-sound-backup",
        ending=Ending.UNTOUCHED,
    ),
    Scenario(
        name="SCENARIO-6.unlisted",
        fault="corrupt-model-unlisted",
        what="a bit flips in the weights of the model, and its manifest is lost",
        remedy="not-restorable",
        ending=Ending.UNTOUCHED,
    ),
    Scenario(
        name="SCENARIO-6.sound",
        fault="corrupt-model-in-passing-and-restart",
        what="a bit flips and flips back while the alert fires, and a pod is just starting",
        remedy="files-are-sound",
        ending=Ending.UNTOUCHED,
    ),
    Scenario(
        name="SCENARIO-6.passing",
        fault="corrupt-model-in-passing",
        what="a bit flips in the weights of the model, and flips back while the alert fires",
        remedy="",
        ending=Ending.UNTOUCHED,
    ),
)
