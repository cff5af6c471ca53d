"""A description of the machine, for the readers of the results."""

from __future__ import annotations

import os
import platform
import re
import resource
import shutil
import subprocess
import time
from importlib.metadata import version
from pathlib import Path

import psutil

PACKAGES = ("uvicorn", "uvloop", "starlette", "sse-starlette", "sqlalchemy", "asyncpg", "aiosqlite", "redis")


def describe() -> dict[str, object]:
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30),
        "system": f"{platform.system()} {platform.release().partition('-')[0]}",
        "python": platform.python_version(),
        "packages": {name: version(name) for name in PACKAGES},
        "nginx": _nginx(),
        "files": resource.getrlimit(resource.RLIMIT_NOFILE)[0],
        "load": os.getloadavg()[1],
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
    }


def _processor() -> str:
    found = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    return found[1] if found else platform.processor()


def _nginx() -> str | None:
    if (nginx := shutil.which("nginx")) is None:
        return None
    output = subprocess.run([nginx, "-v"], capture_output=True, text=True, check=False).stderr
    return output.strip().rpartition("/")[2] or None
