"""Logs: one line per event, as text for people or as JSON for machines, each with its request. Only this module uses
python-json-logger.

1. The fields of a request (its id, its login, the gid that it wrote) are in a context variable that its tasks inherit.
   A filter adds them to every line, so no function passes them on.
2. No line contains a secret: no query (it has cursors), no header, no body, and nobody's address. A test uses the whole
   service and checks all lines (`tests/test_secrets.py`).
3. If an operator gives uvicorn another configuration (`--log-config`), that one is used.
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
STANDARD_FIELDS = {*RESERVED_ATTRS, "taskName", "color_message"}  # attributes of every log record
NOT_BESIDE_MESSAGE = STANDARD_FIELDS | {"event", "method", "path", "status"}  # the last four are part of the message

_known: ContextVar[dict[str, Any] | None] = ContextVar("known", default=None)
_security = logging.getLogger(SECURITY)


def begin(request: str) -> None:
    """Start a request: the current context, and the tasks that it starts, belong to it."""
    _known.set({"request": request})


def note(**known: object) -> None:
    """Add fields to the next lines of the current request, if there is one. A field that is set does not change."""
    if (about := _known.get()) is not None:
        for name, value in known.items():
            about.setdefault(name, str(value))


def known(name: str) -> str:
    """The field of the current request with this name; empty if it is not set."""
    return str((_known.get() or {}).get(name, ""))


def security(event: str, *, warn: bool = False, **about: object) -> None:
    """Log a security event, for the analysis of attacks. Pass ids and fixed words, but no user names or addresses."""
    fields = {name: str(value) for name, value in about.items() if value is not None}
    _security.log(logging.WARNING if warn else logging.INFO, event, extra={"event": event, **fields})


def config(form: Form, level: str) -> dict[str, Any]:
    """The `log_config` for uvicorn: lines of Parley, uvicorn and libraries in one format, on standard error.

    uvicorn's access log is off, because its lines contain queries. `app.http.middleware.request_log` replaces it.
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
    """Replace uvicorn's default logging by ours, unless an operator has configured it (3)."""
    theirs = {type(handler.formatter).__module__ for handler in logging.getLogger("uvicorn").handlers}
    if "uvicorn.logging" in theirs:
        logging.config.dictConfig(config(form, level))
        # Our lines name no thread, process or line of code. To find them takes as long as the rest of a log line
        # (https://docs.python.org/3/howto/logging.html#optimization).
        logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
        logging._srcfile = None


class Known(logging.Filter):
    """Adds the fields of the current request to each line (1)."""

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
        fields = [f"{name}={value}" for name, value in vars(record).items() if name not in NOT_BESIDE_MESSAGE]
        line = super().formatMessage(record)
        return f"{line} ({' '.join(fields)})" if fields else line
