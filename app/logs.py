"""Logs: a line an event, as text for people or as JSON for machines, each with the request that it belongs to.
The only module that knows python-json-logger.

1. What a request is known by (its id, the login it came with, the gid it wrote) is kept beside the code that runs for
   it, in whatever task, and put on every line. Nobody passes it on.
2. No line has a secret: no query (it has cursors), no header, no body, no address of anybody. A test that goes through
   a day of the service looks at all of them (`tests/web/test_secrets.py`).
3. Where an operator has given uvicorn a configuration of their own (`--log-config`), that one holds.
"""

from __future__ import annotations

import logging
import logging.config
import time
from contextvars import ContextVar
from typing import Any, Literal

from pythonjsonlogger.core import RESERVED_ATTRS
from pythonjsonlogger.json import JsonFormatter

Form = Literal["text", "json"]

SECURITY = "app.security"
STANDARD_FIELDS = {*RESERVED_ATTRS, "taskName", "color_message"}  # what a record has of itself
IN_MESSAGE = {"event", "method", "path", "status"}  # what is in the message, too

_known: ContextVar[dict[str, Any] | None] = ContextVar("known", default=None)
_security = logging.getLogger(SECURITY)


def begin(request: str) -> None:
    """What runs from here on, and what it starts, belongs to this request."""
    _known.set({"request": request})


def note(**known: object) -> None:
    """The request that this belongs to, if any, is known by that, too: on its next lines. What is known stays."""
    if (about := _known.get()) is not None:
        for name, value in known.items():
            about.setdefault(name, str(value))


def known(name: str) -> str:
    """What the request that this belongs to is known by under this name; empty where it is not."""
    return str((_known.get() or {}).get(name, ""))


def security(event: str, *, warn: bool = False, **about: object) -> None:
    """Something to be found again by who looks into an attack: ids and words of ours, no names and no addresses."""
    fields = {name: str(value) for name, value in about.items() if value is not None}
    _security.log(logging.WARNING if warn else logging.INFO, event, extra={"event": event, **fields})


def config(form: Form, level: str) -> dict[str, Any]:
    """For uvicorn's `log_config`: our lines, uvicorn's and the libraries' in one form, on standard error.

    uvicorn's own access log is off: its lines have queries, and ours are in `app.http.middleware.request_log`.
    """
    level = level.upper()
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": f"{__name__}.{'json_lines' if form == 'json' else 'TextLines'}"}},
        "filters": {"known": {"()": f"{__name__}.Known"}},
        "handlers": {
            "all": {
                "class": "logging.StreamHandler",
                "stream": "ext://sys.stderr",
                "formatter": "line",
                "filters": ["known"],
            }
        },
        "root": {"handlers": ["all"], "level": "WARNING"},
        "loggers": {
            "app": {"level": level},
            "uvicorn": {"level": max(level, "INFO", key=logging.getLevelName), "handlers": [], "propagate": True},
            "uvicorn.access": {"handlers": [], "propagate": False},
        },
    }


def take_over(form: Form, level: str) -> None:
    """Where uvicorn has set up logging as it does when it is told nothing (3), ours takes its place."""
    theirs = {type(handler.formatter).__module__ for handler in logging.getLogger("uvicorn").handlers}
    if "uvicorn.logging" in theirs:
        logging.config.dictConfig(config(form, level))


class Known(logging.Filter):
    """Puts on each line what its request is known by (1)."""

    def filter(self, record: logging.LogRecord) -> bool:
        for name, value in (_known.get() or {}).items():
            record.__dict__.setdefault(name, value)
        return True


def json_lines() -> logging.Formatter:
    return JsonFormatter(
        ("levelname", "name", "message"),
        style="sequence",
        timestamp="time",
        rename_fields={"levelname": "level", "name": "logger", "exc_info": "stack"},
        reserved_attrs=sorted(STANDARD_FIELDS),
    )


class TextLines(logging.Formatter):
    """`2026-11-26T10:00:00.123Z WARNING app.mail.mailer: mail … was not sent (request=… login=…)`"""

    converter = staticmethod(time.gmtime)
    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        fields = [f"{name}={value}" for name, value in vars(record).items() if name not in STANDARD_FIELDS | IN_MESSAGE]
        line = super().formatMessage(record)
        return f"{line} ({' '.join(fields)})" if fields else line
