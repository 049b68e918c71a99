"""`healer playbook test`: what playbooks do in the cases that are written beside them."""

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import click

from healer.cli.output import clean, emit, output_option
from healer.errors import Fault
from healer.kit.duration import format_duration
from healer.rehearse.contract import Cast
from healer.rehearse.loader import CaseFile, find_cases, load_cases
from healer.rehearse.stage import Play, play
from healer.rehearse.verdict import differences

Row = dict[str, Any]
DEFAULT = Path("playbooks")


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """One case: where it stands, and all in which it did not come true."""

    file: Path
    line: int
    name: str
    wrong: tuple[str, ...]
    lasted: str
    milliseconds: float


@click.command()
@click.argument(
    "paths", metavar="[PATH]...", nargs=-1, type=click.Path(exists=True, path_type=Path)
)
@output_option
@click.pass_context
def test(ctx: click.Context, paths: tuple[Path, ...], output: str) -> None:
    """Play the cases in *.test.yaml: the real engine, in virtual time, without a cluster.

    PATH is a file of cases, or a folder that is searched for them; without one, playbooks/.
    Exit code 1 where a case did not come true, or a file has faults.
    """
    if not paths and not DEFAULT.is_dir():
        message = f"there is no folder {DEFAULT} here: name a PATH"
        raise click.UsageError(message)
    found = find_cases(paths or (DEFAULT,))
    if not found:
        message = (
            f"no cases: there is no *.test.yaml under {', '.join(map(str, paths or (DEFAULT,)))}"
        )
        raise click.ClickException(message)
    cast = the_cast(ctx)
    files = [load_cases(path, cast.vocabulary) for path in found]
    played = {one.path: play_all(one, cast) for one in files}
    emit(output, _document(files, played), lambda: _table(files, played))
    cases = [case for one in played.values() for case in one]
    ctx.exit(1 if any(one.faults for one in files) or any(case.wrong for case in cases) else 0)


def the_cast(ctx: click.Context) -> Cast:
    """The one that the caller brought (`obj=`), or that of the daemon."""
    brought = ctx.find_object(Cast)
    if brought is not None:
        return brought
    provide: Callable[[], Cast] = importlib.import_module("healer.app.rehearsal").cast
    return provide()


def play_all(file: CaseFile, cast: Cast) -> list[Played]:
    """Every case of a file; none where the file has faults."""
    played: list[Played] = []
    for line, case in zip(file.lines, file.cases, strict=True):
        began = perf_counter()
        account = play(Play(case=case, playbooks=file.playbooks, services=file.services), cast)
        wrong = (*account.complaints, *map(str, differences(case, account, cast.vocabulary)))
        played.append(
            Played(
                file=file.path,
                line=line,
                name=case.name,
                wrong=wrong,
                lasted=format_duration(account.lasted),
                milliseconds=round((perf_counter() - began) * 1000, 1),
            )
        )
    return played


def _document(files: Sequence[CaseFile], played: dict[Path, list[Played]]) -> list[Row]:
    return [
        {
            "file": str(one.path),
            "ok": not one.faults and not any(case.wrong for case in played[one.path]),
            "faults": [str(fault) for fault in one.faults],
            "cases": [_row(case) for case in played[one.path]],
        }
        for one in files
    ]


def _row(case: Played) -> Row:
    return {
        "name": case.name,
        "line": case.line,
        "ok": not case.wrong,
        "wrong": list(case.wrong),
        "lasted": case.lasted,
        "milliseconds": case.milliseconds,
    }


def _table(files: Sequence[CaseFile], played: dict[Path, list[Played]]) -> str:
    return "\n".join(line for one in files for line in _told(one, played[one.path]))


def _told(file: CaseFile, played: Sequence[Played]) -> list[str]:
    """As promtool tells it: each file, and below it what is wrong, or that nothing is."""
    head = f"Playbook testing:  {file.path}"
    if file.faults:
        return [head, "  FAILED:", *_faults(file.faults)]
    failed = [case for case in played if case.wrong]
    if not failed:
        spent = sum(case.milliseconds for case in played)
        return [head, f"  SUCCESS  {len(played)} cases, {spent:.0f} ms"]
    lines = [head, f"  FAILED:  {len(failed)} of {len(played)} cases"]
    for case in failed:
        lines.append(f"    {case.file}:{case.line}: {clean(case.name)}")
        lines += [f"      {clean(one)}" for one in case.wrong]
    return lines


def _faults(faults: Sequence[Fault]) -> list[str]:
    return [f"    {clean(str(fault))}" for fault in faults]
