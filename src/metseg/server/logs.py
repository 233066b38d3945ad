"""Logs as JSON lines, without the names of files or patients.

Of an exception the kind and the places in the code are logged; its message is not, because it may name a file.
"""

from __future__ import annotations

import json
import logging
import sys
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

LOGGER = logging.getLogger("metseg.server")

_FIELDS = "metseg_fields"
_FRAMES = 8


class JsonFormatter(logging.Formatter):
    """A record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
            **getattr(record, _FIELDS, {}),
        }
        if record.exc_info and record.exc_info[0] is not None:
            line["error"] = record.exc_info[0].__name__
            frames = traceback.extract_tb(record.exc_info[2])
            line["at"] = [f"{Path(frame.filename).stem}.{frame.name}:{frame.lineno}" for frame in frames[-_FRAMES:]]
        return json.dumps(line)


def log(message: str, level: int = logging.INFO, error: BaseException | None = None, **fields: object) -> None:
    """Write one line; ``fields`` must not hold names of files or patients."""
    LOGGER.log(level, message, exc_info=error, extra={_FIELDS: fields})


def configure_logs() -> None:
    """Write this server's lines, and uvicorn's, as JSON to stderr.

    uvicorn's own access log is switched off: it writes addresses and paths as they were asked for.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    for logger in (LOGGER, logging.getLogger("uvicorn.error")):
        logger.handlers = [handler]
        logger.propagate = False
        logger.setLevel(logging.INFO)
    logging.getLogger("uvicorn.access").disabled = True
