"""JSON lines on stdout: one object per event, extra fields as they were given."""

import json
import logging
import sys
from datetime import UTC, datetime

from inference.identity import CURRENT

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonFormatter(logging.Formatter):
    """One record, one line."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        told: dict[str, object] = {
            "ts": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "msg": record.getMessage(),
        }
        if (identity := CURRENT.get()) is not None:
            told["request_id"] = identity.request
            told |= {"trace_id": identity.trace} if identity.trace else {}
        told |= {key: value for key, value in vars(record).items() if key not in _STANDARD}
        if record.exc_info:
            told["trace"] = self.formatException(record.exc_info)
        return json.dumps(told, default=str)


def to_stdout(level: str = "info") -> None:
    """Send everything of this process there, from this level on."""
    out = logging.StreamHandler(sys.stdout)
    out.setFormatter(JsonFormatter())
    logging.basicConfig(level=level.upper(), handlers=[out], force=True)
    logging.captureWarnings(capture=True)
