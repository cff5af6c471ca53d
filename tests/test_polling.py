"""Polling: due work is done at once, and an error ends nothing."""

from __future__ import annotations

import asyncio
import logging

import pytest

from app.polling import poll_for_work


async def test_a_task_pauses_only_after_an_error_and_if_nothing_is_due(caplog: pytest.LogCaptureFixture) -> None:
    steps: list[bool | Exception] = [True, True, ValueError("a bug"), True, False]
    events: list[str] = []

    async def do_next() -> bool:
        step = steps.pop(0)
        events.append(str(step))
        if isinstance(step, Exception):
            raise step
        return step

    async def pause(seconds: float) -> None:
        assert 8 <= seconds <= 12
        events.append("pause")
        if not steps:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await poll_for_work(do_next, logging.getLogger("test"), "mail", 10, pause)
    assert events == ["True", "True", "a bug", "pause", "True", "False", "pause"]
    assert [record.getMessage() for record in caplog.records if record.exc_info] == ["mail"]
