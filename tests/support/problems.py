"""What every refusal looks like from outside."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import httpx


def read_problem(response: httpx.Response, status: int, *fields: str) -> dict[str, Any]:
    """The problem document of this status (RFC 9457), one entry for each of these fields and no other."""
    assert response.status_code == status, f"{response.status_code}: {response.text}"
    assert response.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = response.json()
    assert problem["type"] == "about:blank"
    assert problem["title"] == HTTPStatus(status).phrase
    assert problem["status"] == status
    assert problem["detail"]
    assert [entry["field"] for entry in problem.get("errors", [])] == list(fields), problem
    assert all(entry["detail"] for entry in problem.get("errors", []))
    return problem
