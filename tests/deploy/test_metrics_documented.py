"""docs/metrics.md, the dashboard and the rules name the metrics that there are: each of them, and none other."""

import json
import re
from uuid import uuid4

import pytest
import yaml
from django.test import Client

from channels_app.services import create_channel
from notifications import alert_raising
from notifications.delivery.maintenance import beat
from notifications.metrics import instruments
from notifications.metrics.instruments import SHAPES
from notifications.metrics.reporting import reporter
from notifications.models import Heartbeat, MetricProcess, MetricTotal
from tests.deploy.metrics_told import ROOT, Told, asked, expressions, told
from tests.notifications.deliveries import make_delivery

PAGE = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
ENGINE = (ROOT / "docs" / "engine.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| `(tidings_\w+)` \| (\w+) \|\s*(.*?)\s*\| (.+?) \| (.+) \|$", re.MULTILINE)
RULES = ROOT / "deploy" / "prometheus" / "tidings.rules.yml"
DASHBOARD = ROOT / "deploy" / "grafana" / "tidings.json"
ALERT = re.compile(r"^\| `(Tidings\w+)` \|", re.MULTILINE)


@pytest.fixture
def metrics(client: Client, db: None) -> dict[str, Told]:
    """What is told where there is something of everything: a sample shows the labels."""
    for program in Heartbeat.Name:
        beat(program, at_most_every=0)
    channel = create_channel(name="Warehouse", kind="postback", url="https://example.com/")
    make_delivery(channel)
    alert_raising.channel_failing(channel_id=channel.pk)
    for name, (labels, bounds) in SHAPES.items():
        MetricTotal.objects.create(
            series=json.dumps([name, dict.fromkeys(labels, "any"), list(bounds)]),
            totals=[1.0] * (len(bounds) + 2 if bounds else 1),
        )
    client.get("/healthz")  # the middlewares are loaded, which count on their own
    pool = [each.name for each in instruments.REGISTRY.collect() if each.name not in SHAPES]
    series = {name: json.dumps([name, {"role": "web"}, []]) for name in pool}
    for text in series.values():
        MetricTotal.objects.create(series=text, totals=[1.0])
    MetricProcess.objects.create(
        id=uuid4(), role="web", version="1.0", reports=1, gauges=dict.fromkeys(series.values(), 1.0)
    )
    answer = client.get("/metrics")
    assert answer.status_code == 200
    return told(answer.content.decode())


def test_the_page_lists_each_metric_with_its_type_and_labels(metrics):
    listed = {
        name: (kind, frozenset(re.findall(r"`(\w+)`", labels)))
        for name, kind, labels, _unit, _text in ROW.findall(PAGE)
    }
    assert listed == {name: (each.type, each.labels) for name, each in metrics.items()}
    assert len(ROW.findall(PAGE)) == len(listed), "One of them stands there twice."


@pytest.mark.django_db
def test_each_metric_is_described_before_anything_was_counted(client, metrics):
    MetricTotal.objects.all().delete()
    MetricProcess.objects.all().delete()
    assert set(told(client.get("/metrics").content.decode())) == set(metrics)


def test_rules_and_dashboard_name_what_there_is(metrics):
    samples = {sample for each in metrics.values() for sample in each.samples}
    for file, content in ((RULES, yaml.safe_load(RULES.read_text())), (DASHBOARD, json.loads(DASHBOARD.read_text()))):
        found = {name for expression in expressions(content) for name in asked(expression)}
        assert found - samples == set(), file.name
        assert found, file.name


def test_the_dashboard_shows_each_metric(metrics):
    shown = {name for expression in expressions(json.loads(DASHBOARD.read_text())) for name in asked(expression)}
    assert [name for name, each in metrics.items() if not each.samples & shown] == []


def test_dashboard_is_one_that_grafana_can_place():
    panels = json.loads(DASHBOARD.read_text())["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not taken & cells, panel["title"]
        assert at["x"] + at["w"] <= 24, panel["title"]
        taken |= cells


def rules() -> list[dict[str, str]]:
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


def test_the_page_says_what_to_do_for_each_alert():
    assert ALERT.findall(PAGE) == [rule["alert"] for rule in rules()]


def test_there_is_a_rule_for_each_row_of_what_breaks_first():
    table = ENGINE.partition("**What breaks first, and what to do then.**")[2]
    rows = [line for line in table.splitlines() if line.startswith("| ")][1:]
    named = [re.findall(r"`(Tidings\w+)`", row) for row in rows]
    (group,) = (
        group for group in yaml.safe_load(RULES.read_text())["groups"] if group["name"] == "tidings-what-breaks-first"
    )
    assert named == [[rule["alert"]] for rule in group["rules"]]


def test_the_reporter_has_no_role_where_nothing_is_served():
    assert reporter.role == ""
