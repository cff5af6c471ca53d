"""Real processes for tests, which end with the tests, however those end."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

END_TIMEOUT_SECONDS = 15.0  # seconds a process has to end

# Its stdin is a pipe from the tests' process. When that ends, "$1" is sent to the command, and after five seconds KILL;
# then what is left of its process group is killed, and "$3", quoted paths, removed. "$2" is the command's log.
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
    """A running command. `end` ends it as the tests' own death would; `kill`, `pause`, `resume` are for its trials."""

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
        """The exit code, as a shell tells it: 128 + n after signal n."""
        code = self._supervisor.wait(seconds)
        self._let_go()
        return code

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        self.wait()

    def pause(self) -> None:
        self.signal(signal.SIGSTOP)

    def resume(self) -> None:
        self.signal(signal.SIGCONT)

    def end(self) -> None:
        """End the command if it runs, and wait until it and its group are gone."""
        self._let_go()
        self.wait()

    def _let_go(self) -> None:
        assert self._supervisor.stdin
        self._supervisor.stdin.close()


def remove(*directories: Path) -> None:
    for directory in directories:
        shutil.rmtree(directory, ignore_errors=True)
