"""The language as JSON Schema, for editors: the document, with the parameters of every word."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from healer.playbook.schema import (
    CheckPart,
    EscalatePart,
    GuardPart,
    MetadataPart,
    PlaybookDocument,
    RemedyPart,
    SpecPart,
    StepPart,
    VerifyPart,
)
from healer.playbook.vocabulary import Models, Vocabulary

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_OWN: tuple[type[BaseModel], ...] = (
    *(PlaybookDocument, MetadataPart, SpecPart, GuardPart, CheckPart),
    *(RemedyPart, StepPart, VerifyPart, EscalatePart),
)
_TEMPLATE = {
    "type": "string",
    "pattern": r"\{\{\s*[A-Za-z_]\w*(\.\w+)*\s*\}\}",
    "description": "A value that is filled in when the playbook runs.",
}


def json_schema(vocabulary: Vocabulary) -> dict[str, Any]:
    """The schema of playbook files. Wherever a parameter stands, a template may stand, too."""
    words: tuple[tuple[type[BaseModel], str, Models], ...] = (
        (GuardPart, "guard", vocabulary.guards),
        (CheckPart, "check", vocabulary.checks),
        (StepPart, "action", vocabulary.actions),
    )
    params = (model for _, _, known in words for model in known.values())
    models = dict.fromkeys((*_OWN, *params))
    refs, schema = models_json_schema([(model, "validation") for model in models])
    definitions: dict[str, Any] = schema["$defs"]
    own = {_name(refs[(model, "validation")]) for model in _OWN}
    for name in definitions.keys() - own:
        _allow_templates(definitions[name])
    for part, word, known in words:
        _weave(definitions[_name(refs[(part, "validation")])], word, known, refs)
    top = definitions.pop(_name(refs[(PlaybookDocument, "validation")]))
    definitions["Template"] = _TEMPLATE
    return {"$schema": _DIALECT, **top, "title": "Playbook", "$defs": definitions}


def _weave(part: dict[str, Any], word: str, known: Models, refs: Mapping[Any, Any]) -> None:
    """Let the value of `word` decide what may stand under `with`."""
    part["properties"][word] = {"enum": sorted(known), "description": f"The {word}'s name."}
    branches: list[dict[str, Any]] = []
    for name, model in sorted(known.items()):
        needs = any(field.is_required() for field in model.model_fields.values())
        then: dict[str, Any] = {"properties": {"with": refs[(model, "validation")]}}
        if needs:
            then["required"] = ["with"]
        branches.append({"if": {"properties": {word: {"const": name}}}, "then": then})
    if branches:
        part["allOf"] = branches


def _allow_templates(definition: dict[str, Any]) -> None:
    properties: dict[str, Any] = definition.get("properties", {})
    for name, wanted in properties.items():
        kept = {key: wanted.pop(key) for key in ("title", "description") if key in wanted}
        properties[name] = {**kept, "anyOf": [wanted, {"$ref": "#/$defs/Template"}]}
        items = wanted.get("items")
        if items:
            wanted["items"] = {"anyOf": [items, {"$ref": "#/$defs/Template"}]}


def _name(ref: Mapping[str, Any]) -> str:
    return str(ref["$ref"]).rpartition("/")[2]
