"""Data on stdout: as a table for people, as JSON or YAML for programs. Decides no content."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import click
import yaml

CommandT = TypeVar("CommandT", bound=Callable[..., Any])


def output_option(command: CommandT) -> CommandT:
    """A decorator: `-o table|json|yaml`, as the parameter `output`."""
    option = click.option(
        "-o",
        "--output",
        type=click.Choice(["table", "json", "yaml"]),
        default="table",
        show_default=True,
        help="For people, or for programs.",
    )
    return option(command)


def emit(output: str, document: object, table: Callable[[], str]) -> None:
    """Print `document` as asked; `table` is only made where a person reads."""
    match output:
        case "json":
            click.echo(json.dumps(document, indent=2, ensure_ascii=False))
        case "yaml":
            click.echo(yaml.safe_dump(document, sort_keys=False, allow_unicode=True), nl=False)
        case _:
            click.echo(table())


def columns(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Aligned by spaces; the last column may be as long as it likes."""
    lines = [tuple(head), *(tuple(clean(cell) for cell in row) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def fields(pairs: Mapping[str, str]) -> str:
    """Names and values under each other; empty values are left out."""
    shown = {name: clean(content) for name, content in pairs.items() if content}
    width = max(map(len, shown), default=0)
    return "\n".join(f"{name.ljust(width)}  {content}" for name, content in shown.items())


def clean(text: str) -> str:
    """Without control characters: what an alert says must not steer a terminal."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else _visible(one) for one in text)


def _visible(character: str) -> str:
    return " " if character.isspace() else "�"
