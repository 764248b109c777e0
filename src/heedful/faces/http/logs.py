"""Structured logs: one JSON object a line, on standard error. JSON escapes line ends and control characters.

No line holds a body, a query, a header or a key.
"""

from __future__ import annotations

import logging
import sys
from typing import TextIO

import structlog

_LIBRARIES = ("uvicorn", "uvicorn.error")


class _Forward(logging.Handler):
    """Brings a library's records to the same place. Of an exception only the type is kept."""

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[0] if record.exc_info else None
        fields = {"error": error.__name__} if error is not None else {}
        log = structlog.get_logger("heedful.http.server")
        log.log(record.levelno, "server", text=record.getMessage().strip(), **fields)


def configure(stream: TextIO | None = None, level: int = logging.INFO) -> None:
    """Send every log line to `stream`, standard error when left out."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(stream or sys.stderr),
        cache_logger_on_first_use=False,
    )
    for name in _LIBRARIES:
        library = logging.getLogger(name)
        library.handlers = [_Forward()] if name == "uvicorn" else []
        library.propagate = name != "uvicorn"
        library.setLevel(logging.ERROR)  # it warns of every bad request, and a stranger must not fill a disk
