"""Taking secrets and unprintable characters out of text that came from elsewhere."""

import re
import unicodedata
from functools import lru_cache

_HIDDEN = "***"
_NAMED = re.compile(
    r"(?i)\b([\w-]*(?:passw(?:or)?d|secret|token|api[_-]?key|authorization|credential)[\w-]*)"
    r"(\"?\s*[:=]\s*\"?)((?:Bearer|Basic|Token)\s+)?[^\s\"',;&]+"
)
_BARE = re.compile(
    r"\bxox[a-z]-[\w-]+"  # Slack
    r"|(?<=Bearer )\S+|(?<=Basic )[\w+/=]{8,}"
    r"|\bAKIA[0-9A-Z]{16}\b"  # AWS
    r"|\b(?:sk|hf|ghp|gho|glpat)[-_][\w-]{16,}"
    r"|\beyJ[\w-]+\.[\w-]+\.[\w-]*"  # JSON Web Tokens
)
_USERINFO = re.compile(r"(?<=://)[^\s/@]+@")
_HINTS = (
    *("passw", "secret", "token", "key", "authorization", "credential"),
    *("xox", "bearer", "basic", "akia", "sk-", "sk_", "hf-", "hf_", "ghp", "gho", "glpat", "eyj"),
    "://",
)
"""Without one of these no pattern matches; looking for them is 6 to 11 times as quick."""

_SECRET_NAME = re.compile(r"(?i)passw|secret|token|key$|credential|authorization")


def redact(text: str) -> str:
    """The text with what looks like a secret replaced."""
    if text.isascii() and not _hints(text.lower()):
        return text
    text = _NAMED.sub(rf"\1\2{_HIDDEN}", text)
    text = _BARE.sub(_HIDDEN, text)
    return _USERINFO.sub(f"{_HIDDEN}@", text)


def _hints(lower: str) -> bool:
    return any(hint in lower for hint in _HINTS)


def redact_value(name: str, value: object) -> str:
    """A parameter's value, hidden where its name says that it is secret."""
    return _HIDDEN if _SECRET_NAME.search(name) else redact(str(value))


def plain(text: str, limit: int) -> str:
    """One printable line of at most `limit` characters; a cut is marked."""
    # Nothing behind it can be shown; a megabyte is not worth reading, nor keeping.
    return _plain(text[: 4 * limit], limit)


@lru_cache(maxsize=4096)
def _plain(text: str, limit: int) -> str:
    """Kept for the texts of late: a storm says the same few names and lines again and again."""
    if not text.isprintable():
        text = "".join(_printable(character) for character in text)
    line = redact(" ".join(text.split()))
    return line if len(line) <= limit else line[: limit - 1] + "…"


def _printable(character: str) -> str:
    """Control characters become a space; direction marks and other invisible ones vanish."""
    match unicodedata.category(character):
        case "Cc" | "Zl" | "Zp":
            return " "
        case "Cf" | "Cs" | "Co" | "Cn":
            return ""
        case _:
            return character
