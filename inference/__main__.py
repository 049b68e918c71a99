"""Command line: `python -m inference serve --model DIR` and `... make-model DIR`."""

import sys
from pathlib import Path

_USAGE = """usage: python -m inference serve --model DIR [--help for all flags]
       python -m inference make-model DIR"""


def main(arguments: list[str]) -> int:
    """Exit code: 0 done, 1 failed, 2 wrong usage."""
    match arguments:
        case ["make-model", folder] if not folder.startswith("-"):
            return _make_model(Path(folder))
        case ["serve", *rest]:
            return _serve(rest)
        case _:
            sys.stderr.write(_USAGE + "\n")
            return 0 if arguments in (["-h"], ["--help"]) else 2


def _make_model(folder: Path) -> int:
    try:
        from inference.tiny import make_model

        make_model(folder)
    except ModuleNotFoundError as error:
        sys.stderr.write(f"{error}: install the extra, pip install 'healer[inference]'\n")
        return 1
    except OSError as error:
        sys.stderr.write(f"{folder}: {error}\n")
        return 1
    return 0


def _serve(arguments: list[str]) -> int:
    from inference import logs, settings

    try:
        found = settings.from_process(arguments)
        logs.to_stdout()
        from inference import process

        return process.main(found)
    except settings.SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
