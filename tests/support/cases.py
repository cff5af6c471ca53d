"""Many cases in one test, because a test for each case would need a site or a database of its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

Case = TypeVar("Case")


async def check_each(cases: Mapping[str, Case], check: Callable[[Case], Awaitable[object]]) -> None:
    """Check all cases, one after the other; then fail with each case that failed, by name."""
    failures = []
    for name, case in cases.items():
        try:
            await check(case)
        except AssertionError as failure:
            failure.add_note(f"in the case: {name}")
            failures.append(failure)
    if failures:
        raise ExceptionGroup(f"{len(failures)} of {len(cases)} cases", failures)
