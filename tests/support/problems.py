"""Problem documents, the form of every error response."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import httpx


def read_problem(response: httpx.Response, status: int, *fields: str) -> dict[str, Any]:
    """Check that a response is a problem document (RFC 9457) with this status and exactly these fields; return it."""
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
