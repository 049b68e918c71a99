"""Command line: `python -m inference serve --model DIR`, and what makes and keeps a model sound.

make-model writes a tiny one, or a large one for a GPU, seal writes a folder's manifest, verify
checks against it, restore puts bad files right from a backup. router sends requests to experts,
classifier proves what it chooses by, and gpu tells what the driver says of the GPUs.
"""

import sys
from collections.abc import Callable
from pathlib import Path

_USAGE = """usage: python -m inference serve --model DIR [--help for all flags]
       python -m inference router --config experts.yaml [--help for all flags]
       python -m inference classifier [DIR]
       python -m inference gpu
       python -m inference make-model DIR [3b]
       python -m inference seal DIR
       python -m inference verify DIR
       python -m inference restore DIR --from BACKUP"""

_RUNNING = ("serve", "router")


def main(arguments: list[str]) -> int:
    """Exit code: 0 done, 1 failed, 2 wrong usage."""
    if any(each.startswith("-") for each in arguments[1:2]) and arguments[0] not in _RUNNING:
        arguments = []
    match arguments:
        case ["make-model", folder, *size] if size in ([], ["tiny"], ["3b"]):
            code = _work(Path(folder), lambda path: _make_model(path, *size))
        case ["seal", folder]:
            code = _work(Path(folder), _seal)
        case ["verify", folder]:
            code = _work(Path(folder), _verify)
        case ["restore", folder, "--from", backup]:
            code = _work(Path(folder), lambda path: _restore(path, Path(backup)))
        case ["gpu"]:
            code = _gpu()
        case ["classifier", *folder] if len(folder) <= 1:
            code = _classifier(Path(folder[0]) if folder else None)
        case ["router", *rest]:
            code = _router(rest)
        case ["serve", *rest]:
            code = _serve(rest)
        case _:
            sys.stderr.write(_USAGE + "\n")
            code = 0 if arguments in (["-h"], ["--help"]) else 2
    return code


def _work(folder: Path, work: Callable[[Path], int]) -> int:
    from inference.manifest import ManifestError

    try:
        return work(folder)
    except ModuleNotFoundError as error:
        sys.stderr.write(f"{error}: install the extra, pip install 'healer[inference]'\n")
    except (OSError, ManifestError) as error:
        sys.stderr.write(f"{folder}: {error}\n")
    return 1


def _make_model(folder: Path, size: str = "tiny") -> int:
    from inference.tiny import make_model

    make_model(folder, size=size)
    return 0


def _seal(folder: Path) -> int:
    from inference.canary import CanaryError
    from inference.seal import in_words, seal

    try:
        sealed = seal(folder)
    except CanaryError as error:
        sys.stderr.write(f"{folder}: not sealed: {error}\n")
        return 1
    sys.stdout.write(f"{in_words(sealed)}\n")
    return 0


def _verify(folder: Path) -> int:
    from inference import manifest, verify

    sealed = manifest.read(folder)
    if sealed is None:
        sys.stderr.write(f"{folder}: no manifest.json: seal it first\n")
        return 1
    faults = verify.verify(folder, sealed)
    for fault in faults:
        sys.stdout.write(f"{fault.text}\n")
    if not faults:
        sys.stdout.write(f"{len(sealed.files)} files are as they were sealed\n")
    return 1 if faults else 0


def _restore(folder: Path, backup: Path) -> int:
    from inference.restore import RestoreError, restore

    try:
        done = restore(folder, backup)
    except RestoreError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    for name in done.quarantined:
        sys.stdout.write(f"kept aside: {name}\n")
    for name in done.files:
        sys.stdout.write(f"restored: {name}\n")
    sys.stdout.write(f"{len(done.files)} files restored, {done.bytes} bytes; the model is sound\n")
    return 0


def _gpu() -> int:
    """What the driver says of the GPUs; none is an answer, not a failure."""
    import json

    from inference.gpu.health import shown
    from inference.gpu.nvml import Nvml

    source = Nvml()
    sys.stdout.write(json.dumps(shown(source.read()), indent=2) + "\n")
    source.close()
    return 0


def _classifier(folder: Path | None) -> int:
    """Load it as the router does and try it; OK, or why it cannot be used."""
    from inference.router.minilm import ClassifierError, MiniLm, folder_of

    try:
        MiniLm(folder_of(folder), threads=1).prove()
    except ClassifierError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write("OK\n")
    return 0


def _router(arguments: list[str]) -> int:
    from inference import logs
    from inference.router import settings
    from inference.settings import SettingsError

    try:
        found, experts = settings.from_process(arguments)
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    logs.to_stdout()
    from inference.router import server

    return server.main(found, experts)


def _serve(arguments: list[str]) -> int:
    from inference import logs, settings

    try:
        found = settings.from_process(arguments)
        logs.to_stdout(found.log_level)
        from inference import process

        return process.main(found)
    except settings.SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
