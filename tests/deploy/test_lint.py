"""`make lint-deploy` finds nothing in deploy/, and each of its checkers finds a fault where there is one."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.deploy import lint, reading
from tests.deploy.lint import Finding, Outcome

pytestmark = pytest.mark.slow

Check = Callable[[], Iterator[Finding]]
FAULTS: dict[str, tuple[Check, str, str, str]] = {
    "hadolint": (lint.containerfile, "Containerfile", "USER 10001:10001", "USER root"),
    "compose-spec": (lint.compose, "compose.yaml", "read_only: true", "readonly: true"),
    "systemd-analyze verify": (lint.units, "systemd/tidings-web.service", "Type=notify", "Type=notifies"),
    "systemd-analyze security tidings-beat.service": (
        *(lint.units, "systemd/tidings-beat.service", "CapabilityBoundingSet=\n"),
        "",
    ),
    "nginx -t, upstream.conf": (lint.site, "nginx/tidings.conf", "gzip_vary on;", "gzip_vary on"),
    "nginx -t, upstream.compose.conf": (lint.site, "nginx/upstream.compose.conf", "keepalive 16", "keepalives 16"),
    "kubectl kustomize": (lint.kubernetes, "kubernetes/kustomization.yaml", "- beat.yaml", "- best.yaml"),
    "kubernetes-validate Deployment tidings-web": (
        *(lint.kubernetes, "kubernetes/web.yaml", "terminationGracePeriodSeconds: 45"),
        "terminationGracePeriodSecond: 45",
    ),
}


def test_nothing_is_amiss() -> None:
    findings = [finding for check in lint.CHECKS for finding in check()]
    assert [str(each) for each in findings if each.outcome is Outcome.FAULT] == []
    # What needs nothing but Python's packages has run.
    well = {each.checker for each in findings if each.outcome is Outcome.WELL}
    assert {"kubernetes-validate Deployment tidings-web", "kubernetes-validate Job tidings-migrate"} <= well


@pytest.mark.parametrize("checker", FAULTS)
def test_a_fault_is_found(checker: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check, name, right, wrong = FAULTS[checker]
    copy = shutil.copytree(reading.DEPLOY, tmp_path / "deploy")
    text = (copy / name).read_text()
    assert right in text
    (copy / name).write_text(text.replace(right, wrong))
    for constant, path in {"DEPLOY": copy, "UNITS": copy / "systemd", "MANIFESTS": copy / "kubernetes"}.items():
        monkeypatch.setattr(reading, constant, path)
    findings = list(check())
    unavailable = [each.text for each in findings if each.outcome is Outcome.NOT_RUN and each.checker in checker]
    if unavailable and not any(each.checker == checker and each.outcome is not Outcome.NOT_RUN for each in findings):
        pytest.skip(f"{checker}: {unavailable[0]}")
    assert checker in [each.checker for each in findings if each.outcome is Outcome.FAULT and each.text]
