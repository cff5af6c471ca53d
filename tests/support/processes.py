"""Real processes for tests. They end with the test process, however it ends."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

END_TIMEOUT_SECONDS = 15.0

# Its stdin is a pipe from the test process. When the pipe closes, it sends signal "$1" to the command, and SIGKILL
# after five seconds. Then it kills the rest of the process group and removes "$3", quoted paths. "$2" is the log.
SUPERVISOR = """
signal=$1 log=$2 trash=$3; shift 3
exec 3<&0 </dev/null
"$@" 3<&- >>"$log" 2>&1 &
process=$!
echo "$process"
exec >/dev/null 2>&1
{
  read -r _ <&3
  : >"$log.over"
  kill -"$signal" "$process"; kill -CONT "$process"
  sleep 5
  kill -KILL "$process"
} &
watcher=$!
exec 3<&-
wait "$process"
code=$?
if test -e "$log.over"; then
  cd /
  rm -f "$log.over"
  eval "rm -rf $trash"
  kill -KILL 0
fi
kill -KILL "$watcher"
exit "$code"
"""


class Process:
    """A running command. `end` ends it as the end of the test process would."""

    def __init__(
        self,
        command: Sequence[str | Path],
        directory: Path,
        log: Path,
        *,
        stop_signal: signal.Signals = signal.SIGKILL,
        trash: Sequence[Path] = (),
        environment: Mapping[str, str] | None = None,
        as_user: Mapping[str, Any] | None = None,
    ) -> None:
        words = [stop_signal.name.removeprefix("SIG"), str(log), shlex.join(map(str, trash)), *map(str, command)]
        self._log = log
        self._supervisor = subprocess.Popen(
            ["/bin/sh", "-c", SUPERVISOR, "supervisor", *words],
            cwd=directory,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
            **(as_user or {}),
        )
        assert self._supervisor.stdin
        assert self._supervisor.stdout
        self.pid = int(self._supervisor.stdout.readline())
        self._supervisor.stdout.close()

    @property
    def alive(self) -> bool:
        return self._supervisor.poll() is None

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def signal(self, number: signal.Signals) -> None:
        if self.alive:
            os.kill(self.pid, number)

    def wait(self, seconds: float = END_TIMEOUT_SECONDS) -> int:
        """Wait for the end, and return the exit code as a shell does: 128 + n after signal n."""
        code = self._supervisor.wait(seconds)
        self._close_pipe()
        return code

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        self.wait()

    def pause(self) -> None:
        self.signal(signal.SIGSTOP)

    def resume(self) -> None:
        self.signal(signal.SIGCONT)

    def end(self) -> None:
        """End the command if it runs, and wait until it and its process group have ended."""
        self._close_pipe()
        self.wait()

    def _close_pipe(self) -> None:
        assert self._supervisor.stdin
        self._supervisor.stdin.close()


def remove(*directories: Path) -> None:
    for directory in directories:
        shutil.rmtree(directory, ignore_errors=True)
