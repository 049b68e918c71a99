"""The JSON Schema says yes to what the loader takes, and no to what it refuses."""

import json
from pathlib import Path
from typing import Any

from healer.playbook.publish import json_schema
from healer.playbook.vocabulary import Vocabulary
from tests.fakes.words import WORDS

HERE = Path(__file__).parent


def test_every_word_brings_the_schema_of_its_parameters() -> None:
    schema = json_schema(WORDS)
    step: dict[str, Any] = schema["$defs"]["StepPart"]
    assert step["properties"]["action"]["enum"] == sorted(WORDS.actions)
    branches = {
        branch["if"]["properties"]["action"]["const"]: branch["then"] for branch in step["allOf"]
    }
    scale = branches["kubernetes.scale"]["properties"]["with"]["$ref"].rpartition("/")[2]
    replicas = schema["$defs"][scale]["properties"]["replicas"]
    assert {"$ref": "#/$defs/Template"} in replicas["anyOf"]
    assert branches["inference.cache-evict"]["required"] == ["with"]
    assert "required" not in branches["kubernetes.restart"]


def test_every_reference_in_the_schema_leads_somewhere() -> None:
    text = json.dumps(json_schema(WORDS))
    names = {part.partition('"')[0] for part in text.split('"#/$defs/')[1:]}
    assert names <= set(json_schema(WORDS)["$defs"])
    assert names


def test_unknown_keys_are_refused_by_the_schema_as_by_the_loader() -> None:
    schema = json_schema(WORDS)
    assert schema["additionalProperties"] is False
    assert all(
        schema["$defs"][name]["additionalProperties"] is False
        for name in schema["$defs"]
        if name.endswith("Part")
    )


def test_a_vocabulary_without_words_has_a_schema() -> None:
    assert json_schema(Vocabulary())["$defs"]["GuardPart"]["properties"]["guard"]["enum"] == []
