"""docs/webhooks.md: its receivers in Python and Node accept what Parley sends, and nothing else."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from app.settings import parse_webhook_secret
from app.webhooks.signature import signature
from tests.support.manual import blocks_of

ROOT = Path(__file__).resolve().parents[2]
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
PYTHON = (
    "import json, sys; from verify import *; s, h, b = json.load(sys.stdin); print(is_from_parley(s, h, b.encode()))"
)
NODE = """
import { readFileSync } from "node:fs";
import { isFromParley } from "./verify.mjs";
console.log(isFromParley(...JSON.parse(readFileSync(0))));
"""


@pytest.fixture(params=["python", "node"])
def verify(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """The function of the page in this language."""
    for block in blocks_of(ROOT / "docs" / "webhooks.md"):
        if block.path.startswith("verify"):
            block.apply(tmp_path)
    # npm's Node is the system's, or that of the virtual environment (Makefile).
    node = shutil.which("node", path=f"{os.environ['PATH']}:{Path(sys.executable).parent}")
    commands = {"python": [sys.executable, "-c", PYTHON], "node": [node, "--input-type=module", "-e", NODE]}

    def verify(secret: str, headers: dict[str, str], body: str) -> bool:
        done = subprocess.run(
            commands[request.param], input=json.dumps([secret, headers, body]), cwd=tmp_path,
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        return done.stdout.strip().lower() == "true"

    return verify


def headers_of(body: str, secrets: list[str], at: datetime) -> dict[str, str]:
    return {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": signature([parse_webhook_secret(text) for text in secrets], "msg_1", at, body.encode()),
    }


def test_a_receiver_accepts_what_parley_signed(verify: Any) -> None:
    now, body = datetime.now(UTC), '{"type": "comment.create", "body": "ünïcödé"}'
    other = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oDMfKQ9r8GKYo="
    assert verify(SECRET, headers_of(body, [SECRET], now), body)
    assert verify(SECRET, headers_of(body, [other, SECRET], now), body)
    assert not verify(SECRET, headers_of(body, [other], now), body)
    assert not verify(SECRET, headers_of(body, [SECRET], now), body + " ")
    assert not verify(SECRET, headers_of(body, [SECRET], now - timedelta(hours=1)), body)


def test_a_signature_is_that_of_the_specification() -> None:
    """The example of the Standard Webhooks libraries."""
    at = datetime.fromtimestamp(1614265330, UTC)
    signed = signature([parse_webhook_secret(SECRET)], "msg_p5jXN8AQM9LWM0D4loKWxJek", at, b'{"test": 2432232314}')
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize(
    "text", ["", "whsec_", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_c2hvcnQ=", "whsec_not base64!", "whsec_a"]
)
def test_a_malformed_secret_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"whsec_|base64|bytes"):
        parse_webhook_secret(text)
