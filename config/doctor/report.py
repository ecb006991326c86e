"""How findings are told: a line each for people, one JSON document for scripts."""

import json
import sys
from collections.abc import Callable, Iterable

from config.doctor.examination import Finding, Status

_WORST_FIRST = (Status.FAULT, Status.WARNING, Status.UNKNOWN, Status.OK)


def tell(findings: Iterable[Finding], write: Callable[[str], object], *, as_json: bool) -> int:
    """Write each finding as soon as it is there, or all together `as_json`. Returns the exit status: 1 for a fault."""
    found = []
    for finding in findings:
        found.append(finding)
        if not as_json:
            write(_line(finding))
    worst = next((status for status in _WORST_FIRST if any(each.status == status for each in found)), Status.OK)
    if as_json:
        document = {"status": str(worst), "checks": [finding.as_dict() for finding in found]}
        write(json.dumps(document, indent=2, ensure_ascii=False))
    return 1 if worst == Status.FAULT else 0


def tell_refusal(refusal: Exception, *, as_json: bool) -> int:
    """Tell that the settings themselves were refused, so that there is nothing else to look at. Returns 1."""
    finding = Finding(
        Status.FAULT, str(refusal), "Until then nothing starts, and nothing else can be seen.", "settings"
    )
    return tell([finding], lambda text: sys.stdout.write(f"{text}\n"), as_json=as_json)


def _line(finding: Finding) -> str:
    return f"{finding.status:<8} {finding.check:<14} {' '.join(filter(None, [finding.says, finding.do]))}"
