"""What the files of deploy/ say: the environment and the commands of each program, read out of them."""

import json
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
MAKE_ENV = DEPLOY / "make_env.py"
ADDRESS = "https://notify.example.com"
UNITS = DEPLOY / "systemd"
MANIFESTS = DEPLOY / "kubernetes"
_ASSIGNMENT = re.compile(r"([A-Z_]+)=(.*)")
_REFERENCE = re.compile(r"\$(?:\$|\{(?P<name>\w+)(?::(?P<kind>[-?])(?P<word>[^}]*))?\})")


@dataclass(frozen=True)
class Program:
    """A program of Tidings as one of the files starts it: its command word by word, and its environment."""

    name: str
    command: list[str]
    environment: dict[str, str]


def assignments(text: str) -> dict[str, str]:
    """The variables of an environment file. Raises ValueError for a line that is neither one nor a remark."""
    found = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            match = _ASSIGNMENT.fullmatch(line)
            if match is None:
                raise ValueError(f"no NAME=value: {line}")
            found[match[1]] = match[2]
    return found


@cache
def new_environment() -> Mapping[str, str]:
    """The environment file of a new installation, as make_env.py writes it, the same at each call."""
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "env"
        subprocess.run([sys.executable, MAKE_ENV, ADDRESS, str(file)], check=True)
        return assignments(file.read_text())


# Containers of one machine.


def compose(environment: Mapping[str, str]) -> dict[str, Any]:
    """compose.yaml with its references and merges resolved, as `docker compose config` does it. Raises ValueError for
    a variable that is not there."""

    def value(reference: re.Match[str]) -> str:
        if reference[0] == "$$":
            return "$"
        default = reference["word"] if reference["kind"] == "-" else None
        found = environment.get(reference["name"]) or default
        if found is None:
            raise ValueError(f"{reference['name']} is not set")
        return found

    def resolved(node: Any) -> Any:
        if isinstance(node, dict):
            return {name: resolved(each) for name, each in node.items()}
        if isinstance(node, list):
            return [resolved(each) for each in node]
        return _REFERENCE.sub(value, node) if isinstance(node, str) else node

    document: dict[str, Any] = resolved(yaml.safe_load((DEPLOY / "compose.yaml").read_text()))
    return document


def programs_of_compose() -> list[Program]:
    """Those of its services that have Tidings' image. Where no command stands, it is the image's."""
    file = new_environment()
    return [
        Program(name, service.get("command") or image_command(), {**file, **service["environment"]})
        for name, service in compose(file)["services"].items()
        if "tidings" in service["image"]
    ]


def image_command() -> list[str]:
    """CMD of the Containerfile."""
    (line,) = re.findall(r"^CMD (.*)$", (DEPLOY / "Containerfile").read_text(), re.MULTILINE)
    command: list[str] = json.loads(line)
    return command


# systemd.


def unit(path: Path) -> dict[str, list[str]]:
    """The settings of a unit, each with its values in their order."""
    found: dict[str, list[str]] = {}
    for line in path.read_text().splitlines():
        if line and line[0] not in "#[":
            name, _, value = line.partition("=")
            found.setdefault(name, []).append(value)
    return found


def programs_of_systemd() -> list[Program]:
    """Those of the units; the worker's is instance 1. `%h` of its command is left to Celery, as systemd leaves it."""
    found = []
    for path in sorted(UNITS.glob("*.service")):
        settings = unit(path)
        (command,) = settings["ExecStart"]
        own = dict(each.split("=", 1) for line in settings["Environment"] for each in shlex.split(line))
        name = path.stem.removeprefix("tidings-").removesuffix("@")
        words = shlex.split(command.replace("%i", "1").replace("%%", "%"))
        found.append(Program(name, words, {**own, **new_environment()}))
    return found


# Kubernetes.


def manifests() -> list[dict[str, Any]]:
    """What the kustomization has in it, as it stands in its files."""
    names = _kustomization()["resources"]
    return [each for name in names for each in yaml.safe_load_all((MANIFESTS / name).read_text()) if each]


def built(kubectl: str) -> str:
    """The manifests as kustomize makes them. Raises CalledProcessError."""
    with tempfile.TemporaryDirectory() as home:
        done = subprocess.run(
            [kubectl, "kustomize", str(MANIFESTS)],
            env={"HOME": home, "PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
    return done.stdout


def programs_of_kubernetes() -> list[Program]:
    """Those of the pods, with the Secret made of the environment file. Containers that wait for others included."""
    return [_container(each) for manifest in manifests() for each in _containers(manifest)]


def _kustomization() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((MANIFESTS / "kustomization.yaml").read_text())
    return found


def _containers(manifest: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    template = manifest["spec"].get("template", {}).get("spec", {}) if "spec" in manifest else {}
    for kind in ("initContainers", "containers"):
        yield from template.get(kind, [])


def _container(container: Mapping[str, Any]) -> Program:
    """Its environment as the kubelet makes it: each of `envFrom` wins over those before, `env` over all, and a
    `$(NAME)` is one of `env` that stands before it."""
    (settings,) = _kustomization()["configMapGenerator"]
    config_map = assignments("\n".join(settings["literals"]))
    sources: dict[str, Mapping[str, str]] = {"secretRef": new_environment(), "configMapRef": config_map}
    environment: dict[str, str] = {}
    for source in container["envFrom"]:
        ((kind, _),) = source.items()
        environment |= sources[kind]
    own: dict[str, str] = {}
    for each in container.get("env", []):
        if "value" in each:
            own[each["name"]] = re.sub(r"\$\((\w+)\)", lambda found: own[found[1]], each["value"])
        elif "fieldRef" in each["valueFrom"]:
            own[each["name"]] = "10.0.0.7"
        else:
            own[each["name"]] = config_map[each["valueFrom"]["configMapKeyRef"]["key"]]
    return Program(container["name"], container.get("command") or image_command(), {**environment, **own})
