"""What a plain YAML scalar means: YAML 1.2's reading, and no guess where versions disagree."""

import re

from healer.model.outcome import Json

_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_BOOL = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_TORN = re.compile(r"(yes|no|on|off)", re.IGNORECASE)
_OCTAL = re.compile(r"[-+]?0o?[0-7]+")
_SPACED = re.compile(r"[-+]?[0-9][0-9_]*_[0-9_]*(\.[0-9_]*)?")
_SIGNED = re.compile(r"\+[0-9]+(\.[0-9]+)?")
_INT = re.compile(r"-?(0|[1-9][0-9]*)")
_HEX = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_ENDLESS = re.compile(r"[-+]?\.(inf|nan)", re.IGNORECASE)
_LARGEST = 2**63 - 1
_DIGITS = 40


class ScalarError(ValueError):
    """A scalar that different readers of YAML take for different things, or that fits nowhere."""


def read_plain(text: str) -> Json:
    """The value of an unquoted scalar. Times and dates (`22:30`, `2026-01-31`) stay text."""
    if text in _NULL:
        return None
    if text in _BOOL:
        return _BOOL[text]
    _refuse_torn(text)
    if _INT.fullmatch(text) or _HEX.fullmatch(text):
        return _integer(text)
    if _FLOAT.fullmatch(text):
        return _real(text)
    return text


def check_text(text: str) -> None:
    """ScalarError where `text` holds what no file name, request or log can carry."""
    if "\0" in text:
        message = r"the character \0 is not allowed in a text"
        raise ScalarError(message)
    if any("\ud800" <= char <= "\udfff" for char in text):
        message = "half of a surrogate pair is no character: write the character itself"
        raise ScalarError(message)


def _refuse_torn(text: str) -> None:
    message = ""
    if _TORN.fullmatch(text):
        message = f"`{text}` is a truth value to some readers of YAML and a text to others: "
        message += f'write true or false, or "{text}" for the text'
    elif _OCTAL.fullmatch(text) and len(text.lstrip("+-")) > 1:
        message = f"`{text}` is octal to some readers of YAML and decimal to others: "
        message += "write the number without leading zeros, or in quotes for the text"
    elif _SPACED.fullmatch(text):
        message = f"`{text}` is a number to some readers of YAML and a text to others: "
        message += "write it without `_`, or in quotes for the text"
    elif _SIGNED.fullmatch(text):
        message = f"`{text}` would lose its sign: "
        message += f'write "{text}" where it means so many more, or {text[1:]} for the number'
    elif _ENDLESS.fullmatch(text):
        message = f"`{text}` is not a number that can be compared: write a finite one"
    if message:
        raise ScalarError(message)


def _integer(text: str) -> int:
    if len(text) <= _DIGITS:
        number = int(text, 0)
        if abs(number) <= _LARGEST:
            return number
    message = f"the number {text[:_DIGITS]} is too large: at most {_LARGEST}"
    raise ScalarError(message)


def _real(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        message = f"the number {text[:_DIGITS]} is too large for a float"
        raise ScalarError(message)
    return number
