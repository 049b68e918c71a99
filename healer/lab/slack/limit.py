"""What Slack refuses in a message: the published limits of Block Kit, text and metadata."""

from collections.abc import Iterator
from typing import Any, TypeGuard

Json = dict[str, Any]

BLOCKS = 50
SECTION = 3000
HEADER = 150
BUTTON = 75
VALUE = 2000
ELEMENTS = {"actions": 25, "context": 10}
POSTED = 40_000
UPDATED = 4_000
ALL_BLOCKS = 13_200  # not in Slack's documentation, but what its server was seen to enforce
KINDS = frozenset({"actions", "context", "divider", "header", "section"})


def is_object(value: object) -> TypeGuard[Json]:
    """Is it a JSON object?"""
    return isinstance(value, dict)


def is_array(value: object) -> TypeGuard[list[Any]]:
    """Is it a JSON array?"""
    return isinstance(value, list)


class Refusal(Exception):  # noqa: N818 - Slack answers it with HTTP 200
    """`ok: false`, and Slack's word for why."""

    def __init__(self, error: str, *messages: str) -> None:
        super().__init__(error)
        self.error = error
        self.messages = messages


def check_message(body: Json, *, longest: int) -> None:
    """Refuse what Slack would refuse."""
    text: str = body.get("text") or ""
    blocks: Any = body.get("blocks") or list[Json]()
    if not text and not blocks:
        raise Refusal("no_text")
    if len(text) > longest:
        raise Refusal("msg_too_long")
    faults = list(_blocks(blocks))
    if faults:
        raise Refusal("invalid_blocks", *faults)
    if sum(len(said) for block in blocks for said in _texts(block)) > ALL_BLOCKS:
        raise Refusal("msg_blocks_too_long")
    _metadata(body.get("metadata"))


def _blocks(blocks: object) -> Iterator[str]:
    if not is_array(blocks):
        yield "[ERROR] must be an array [json-pointer:/blocks]"
        return
    if len(blocks) > BLOCKS:
        yield f"[ERROR] no more than {BLOCKS} items allowed [json-pointer:/blocks]"
    for number, block in enumerate(blocks):
        yield from _block(block, f"/blocks/{number}")


def _block(block: Json, at: str) -> Iterator[str]:
    kind = block.get("type")
    if kind not in KINDS:
        yield f"[ERROR] unsupported type: {kind} [json-pointer:{at}/type]"
    elif kind == "section":
        yield from _text(block.get("text"), at + "/text", SECTION)
    elif kind == "header":
        yield from _text(block.get("text"), at + "/text", HEADER)
    elif kind in ELEMENTS:
        yield from _elements(block.get("elements"), kind, at + "/elements")


def _elements(elements: object, kind: str, at: str) -> Iterator[str]:
    if not is_array(elements) or not elements:
        yield f"[ERROR] missing required field: elements [json-pointer:{at}]"
        return
    if len(elements) > ELEMENTS[kind]:
        yield f"[ERROR] no more than {ELEMENTS[kind]} items allowed [json-pointer:{at}]"
    for number, element in enumerate(elements):
        if kind == "context":
            yield from _text(element, f"{at}/{number}", SECTION)
            continue
        yield from _text(element.get("text"), f"{at}/{number}/text", BUTTON)
        if len(element.get("value", "")) > VALUE:
            yield f"[ERROR] must be less than {VALUE + 1} characters [json-pointer:{at}/{number}]"


def _text(text: object, at: str, longest: int) -> Iterator[str]:
    if not is_object(text) or text.get("type") not in ("mrkdwn", "plain_text"):
        yield f"[ERROR] missing required field: text [json-pointer:{at}]"
        return
    said = text.get("text")
    if not isinstance(said, str) or not said:
        yield f"[ERROR] must be more than 0 characters [json-pointer:{at}/text]"
    elif len(said) > longest:
        yield f"[ERROR] must be less than {longest + 1} characters [json-pointer:{at}/text]"


def _texts(block: Json) -> Iterator[str]:
    text = block.get("text")
    if is_object(text):
        yield str(text.get("text", ""))
    for element in block.get("elements", ()):
        yield from _texts(element)
        if isinstance(element.get("text"), str):
            yield element["text"]


def _metadata(metadata: object) -> None:
    if metadata is None or metadata == {}:
        return
    if not is_object(metadata) or not isinstance(metadata.get("event_type"), str):
        raise Refusal("invalid_metadata_format")
    if not is_object(metadata.get("event_payload")):
        raise Refusal("invalid_metadata_format")
