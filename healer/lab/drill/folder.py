"""Writes the reports of drills into a folder: a plot and two texts of each, and one index."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from healer.errors import PermanentError
from healer.lab.drill.page import html, index_html, index_json, index_markdown, markdown, plot
from healer.lab.drill.report import Report


def write(folder: Path, reports: Sequence[Report]) -> Path:
    """Where to begin to read. What lies in the folder under the same names is replaced."""
    now = datetime.now(UTC)
    texts = {
        "index.html": index_html(reports, at=now),
        "index.md": index_markdown(reports, at=now),
        "index.json": index_json(reports, at=now),
    }
    for report in reports:
        name = report.scenario.name
        texts |= {
            f"{name}.svg": plot(report),
            f"{name}.md": markdown(report),
            f"{name}.html": html(report),
        }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            (folder / name).write_text(text)
    except OSError as error:
        message = f"the report cannot be written to {folder}: {error.strerror or error}"
        raise PermanentError(message) from error
    return folder / "index.html"
