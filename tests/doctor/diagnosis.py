"""The findings of the doctor, sorted by their state."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass

from app.doctor.finding import Finding, State


@dataclass(frozen=True)
class Diagnosis:
    findings: tuple[Finding, ...]

    def __init__(self, findings: Iterable[Finding]) -> None:
        object.__setattr__(self, "findings", tuple(findings))

    def all_of(self, state: State) -> list[str]:
        return [finding.message for finding in self.findings if finding.state == state]

    @property
    def problems(self) -> list[str]:
        return self.all_of(State.WRONG)

    @property
    def warnings(self) -> list[str]:
        return self.all_of(State.WARNING)

    @property
    def is_ok(self) -> bool:
        """The doctor examined something and found no problem."""
        return {finding.state for finding in self.findings} == {State.OK}


async def collect_findings(findings: AsyncIterator[Finding]) -> Diagnosis:
    """Collect the findings, and check that each problem comes with advice."""
    found = Diagnosis([finding async for finding in findings])
    assert all(finding.advice for finding in found.findings if finding.state != State.OK)
    return found
