"""The explorer: schemathesis in a process of its own, because the app is served in the process of the tests.

Reads `{"document": …, "config": …}` and writes a list of texts, one for each wrong response.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from typing import Any

LASTING = {"continue-on-failure": True, "suppress-health-check": ["all"]}


async def explore(document: dict[str, Any], **config: Any) -> list[str]:
    """Call every described operation. The same seed makes the same calls."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", __name__, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    asked = json.dumps({"document": document, "config": {**LASTING, **config}})
    try:
        said, _ = await process.communicate(asked.encode())
    except asyncio.CancelledError:
        process.kill()
        await asyncio.shield(process.wait())
        raise
    assert process.returncode == 0, "the explorer failed, and printed why"
    found: list[str] = json.loads(said)
    return found


def list_failures(document: dict[str, Any], config: dict[str, Any]) -> Iterator[str]:
    import schemathesis
    from schemathesis.config import SchemathesisConfig
    from schemathesis.engine import events, from_schema

    schema = schemathesis.openapi.from_dict(document, config=SchemathesisConfig.from_dict(config))
    for event in from_schema(schema).execute():
        if isinstance(event, events.FatalError):
            raise event.exception
        if isinstance(event, events.NonFatalError):
            yield f"{event.label}: {event.value!r}"
        elif isinstance(event, events.ScenarioFinished):
            yield from _failures(event.recorder)


def _failures(recorder: Any) -> Iterator[str]:
    for id_, checks in recorder.checks.items():
        case, interaction = recorder.cases[id_].value, recorder.interactions.get(id_)
        answer = interaction and interaction.response
        answered = f"{answer.status_code} {answer.text}" if answer else "no answer"
        for check in checks:
            if check.failure_info:
                failure = f"{case.operation.label}: {check.failure_info.failure}"
                yield "\n".join([failure, case.as_curl_command(), answered])


if __name__ == "__main__":
    print(json.dumps(list(list_failures(**json.load(sys.stdin)))))
