"""What the tests of the doctor have in common."""

from collections.abc import Iterable

from config.doctor.checks import all_checks
from config.doctor.examination import Finding

Line = tuple[str, str, str]


def look(name: str) -> list[Line]:
    """What the check of this name finds."""
    (check,) = [check for check in all_checks() if check.name == name]
    return lines(check.look())


def lines(findings: Iterable[Finding]) -> list[Line]:
    return [(str(finding.status), finding.says, finding.do) for finding in findings]
