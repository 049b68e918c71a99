"""Reads CEL text without running it: the names it uses, its loops, how deep and how long it is.

The CEL package tells only the roots of names; a misspelt check id needs the whole dotted name.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""
    (?P<comment>//[^\n]*)
  | (?P<raw>(?:[rR][bB]?|[bB][rR])(?:\"{3}.*?\"{3}|'{3}.*?'{3}|"[^"\n]*"|'[^'\n]*'))
  | (?P<string>[bB]?(?:\"{3}.*?\"{3}|'{3}.*?'{3}|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'))
  | (?P<number>0[xX][0-9a-fA-F]+[uU]?|[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?[uU]?)
  | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
  | (?P<sign>&&|\|\||==|!=|<=|>=|[^\s])
    """,
    re.VERBOSE | re.DOTALL,
)
_WORDS = frozenset({"true", "false", "null", "in"})
LOOPS = frozenset({"all", "exists", "exists_one", "filter", "map"})
_OPENING, _CLOSING = "([{", ")]}"


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of the text, and what sort of piece it is."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Expression:
    """What can be said of a condition by reading it."""

    names: tuple[tuple[str, ...], ...] = ()
    bound: frozenset[str] = frozenset()
    loops: frozenset[str] = frozenset()
    loop_depth: int = 0
    depth: int = 0
    signs: int = 0
    loose_filter: bool = False


def dissect(text: str) -> Expression:
    """Read `text`, which the CEL package has accepted already."""
    tokens = tuple(_tokens(text))
    reader = _Reader(tokens)
    reader.read()
    return Expression(
        names=tuple(reader.names),
        bound=frozenset(reader.bound),
        loops=frozenset(reader.loops),
        loop_depth=reader.loop_depth,
        depth=reader.depth,
        signs=sum(token.kind == "sign" for token in tokens),
        loose_filter=reader.loose_filter,
    )


def _tokens(text: str) -> Iterator[Token]:
    for found in _TOKEN.finditer(text):
        if found.lastgroup != "comment":
            yield Token(str(found.lastgroup), found.group())


class _Reader:
    """One pass over the tokens, with the brackets that are open around the present one."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        self._tokens = tokens
        self._open: list[str] = []  # the variable that each open bracket binds, or ""
        self.names: list[tuple[str, ...]] = []
        self.bound: set[str] = set()
        self.loops: set[str] = set()
        self.loop_depth = 0
        self.depth = 0
        self.loose_filter = False

    def read(self) -> None:
        """Fill all the answers."""
        for index, token in enumerate(self._tokens):
            if token.kind == "sign" and token.text in _OPENING:
                self._enter(index)
            elif token.kind == "sign" and token.text in _CLOSING and self._open:
                self._open.pop()
            elif token.kind == "name" and self._starts_name(index):
                self._name(index)

    def _text(self, index: int) -> str:
        return self._tokens[index].text if 0 <= index < len(self._tokens) else ""

    def _enter(self, index: int) -> None:
        variable = ""
        name, before = self._text(index - 1), self._text(index - 2)
        if self._text(index) == "(" and before == "." and name in LOOPS:
            variable = self._text(index + 1)
            self.bound.add(variable)
            self.loops.add(name)
            source = self._tokens[index - 3].kind if index >= 3 else ""
            self.loose_filter |= name == "filter" and source != "name"
        self._open.append(variable)
        self.depth = max(self.depth, len(self._open))
        self.loop_depth = max(self.loop_depth, sum(map(bool, self._open)))

    def _starts_name(self, index: int) -> bool:
        text = self._text(index)
        calls = self._text(index + 1) == "("
        inner = self._text(index - 1) == "." or text in _WORDS
        return not inner and not calls and text not in self._open

    def _name(self, index: int) -> None:
        parts = [self._text(index)]
        index += 1
        while True:
            if self._text(index) == "." and self._text(index + 2) != "(":
                parts.append(self._text(index + 1))
                index += 2
            elif self._text(index) == "[" and self._literal(index + 1):
                parts.append(self._text(index + 1).lstrip("rRbB").strip("\"'"))
                index += 3
            else:
                break
        self.names.append(tuple(parts))

    def _literal(self, index: int) -> bool:
        closed = self._text(index + 1) == "]"
        return closed and self._tokens[index].kind in {"raw", "string", "number"}
