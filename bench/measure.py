"""The CPU time and the memory of other processes, and statistics of the measured numbers."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import psutil

CPUCLOCK_SCHED = 2  # linux/posix-timers.h: the scheduler's count of CPU time, in nanoseconds


def family(pid: int) -> list[int]:
    """The ids of a process and of all its descendants."""
    process = psutil.Process(pid)
    return [pid, *(child.pid for child in process.children(recursive=True))]


def cpu(pids: Iterable[int]) -> float:
    """The CPU time of these processes in seconds, in user and kernel mode."""
    return sum(_cpu_of(pid) for pid in pids)


def _cpu_of(pid: int) -> float:
    try:
        return time.clock_gettime((~pid << 3) | CPUCLOCK_SCHED)  # more precise than /proc/<pid>/stat, which has 10 ms
    except OSError:
        times = psutil.Process(pid).cpu_times()
        return float(times.user + times.system)


def memory(pids: Iterable[int]) -> int:
    """The memory of these processes in bytes. Memory that several of them share counts once (PSS)."""
    return sum(_pss(pid) for pid in pids)


def _pss(pid: int) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that is at least as great as this percentage of the values."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -(-len(ordered) * percent // 100).__int__() - 1))]


def median(values: Iterable[float]) -> float:
    return statistics.median(values)


def exponent(sizes: Sequence[float], costs: Sequence[float]) -> float:
    """k in cost = c · size^k, by least squares on the logarithms. 1 is linear growth, 0 is none."""
    from math import log

    return statistics.linear_regression([log(size) for size in sizes], [log(cost) for cost in costs]).slope
