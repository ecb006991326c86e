"""Each alert goes off when what it is for goes on, and not otherwise. promtool plays it."""

import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

PROMETHEUS = Path(__file__).resolve().parents[2] / "deploy" / "prometheus"
RULES = PROMETHEUS / "tidings.rules.yml"
PROMTOOL = shutil.which("promtool")
HOURS = "7h"
EVERY_MINUTE = "x420"

needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed (Debian's package prometheus).")


@dataclass(frozen=True)
class Case:
    """Series with the values of each minute. `firing` are the labels of the alerts of this name in the end."""

    alert: str
    series: dict[str, str]
    firing: list[dict[str, str]] = field(default_factory=list)


def steady(value: float) -> str:
    return f"{value:g}+0{EVERY_MINUTE}"


def growing(a_minute: float) -> str:
    return f"0+{a_minute:g}{EVERY_MINUTE}"


# Two web processes that Prometheus asks, which tell the same.
WEB = ('job="tidings",instance="a:8000"', 'job="tidings",instance="b:8000"')


def both(name: str, values: str, labels: str = "") -> dict[str, str]:
    return {f"{name}{{{web}{',' if labels else ''}{labels}}}": values for web in WEB}


def mean(name: str, seconds: float) -> dict[str, str]:
    """A histogram that observes sixty times a minute something that takes so long."""
    return both(f"{name}_sum", growing(60 * seconds)) | both(f"{name}_count", growing(60))


def claims(seconds: float, lock: float, timeouts: float = 0) -> dict[str, str]:
    return (
        mean("tidings_claim_duration_seconds", seconds)
        | mean("tidings_claim_lock_wait_seconds", lock)
        | both("tidings_claim_lock_timeouts_total", growing(timeouts))
    )


def rows(live: float, dead: float) -> dict[str, str]:
    return both("tidings_table_rows", steady(live), 'table="notifications_delivery",state="live"') | both(
        "tidings_table_rows", steady(dead), 'table="notifications_delivery",state="dead"'
    )


def requests(good: float, bad: float) -> dict[str, str]:
    route = 'method="POST",route="/api/v1/orders",'
    return both("tidings_http_requests_total", growing(good), f'{route}status="201"') | both(
        "tidings_http_requests_total", growing(bad), f'{route}status="503"'
    )


def channel(reason: str, seconds: float) -> dict[str, str]:
    labels = f'channel="chn_1",name="Warehouse",reason="{reason}"'
    return both("tidings_channel_oldest_due_seconds", steady(seconds), labels)


WELL = both("tidings_up", steady(1), 'component="database"')
HERE = {"job": "tidings"}
CASES = [
    Case("TidingsNotScraped", both("up", steady(0)), [HERE]),
    Case("TidingsNotScraped", {f"up{{{WEB[0]}}}": steady(0), f"up{{{WEB[1]}}}": steady(1)}),
    Case(
        "TidingsUnreachableServer",
        both("tidings_up", steady(0), 'component="broker"') | WELL,
        [HERE | {"component": "broker"}],
    ),
    Case("TidingsUnreachableServer", WELL),
    Case("TidingsNoWorker", WELL | both("tidings_worker_age_seconds", growing(60)), [HERE]),
    Case("TidingsNoWorker", WELL, [HERE]),
    Case("TidingsNoWorker", WELL | both("tidings_worker_age_seconds", steady(4))),
    Case("TidingsNoWorker", both("tidings_up", steady(0), 'component="database"')),
    Case("TidingsNoBeat", WELL | both("tidings_beat_age_seconds", growing(60)), [HERE]),
    Case("TidingsNoBeat", WELL, [HERE]),
    Case("TidingsNoBeat", WELL | both("tidings_beat_age_seconds", steady(9))),
    Case("TidingsNotPurged", both("tidings_purge_age_seconds", growing(60)), [HERE]),
    Case("TidingsNotPurged", both("tidings_purge_age_seconds", steady(3500))),
    Case("TidingsAlertsNotSent", both("tidings_alerts_waiting", steady(1)), [HERE]),
    Case("TidingsAlertsNotSent", both("tidings_alerts_waiting", f"{'1 0 ' * 210}1")),
    Case("TidingsServerErrors", requests(good=60, bad=6), [HERE]),
    Case("TidingsServerErrors", requests(good=60, bad=0.1)),
    Case(
        "TidingsPoolExhausted",
        both("tidings_pool_wait_seconds_total", growing(120), 'role="web"'),
        [HERE | {"role": "web"}],
    ),
    Case("TidingsPoolExhausted", both("tidings_pool_wait_seconds_total", growing(1), 'role="web"')),
    Case(
        "TidingsMixedVersions",
        both("tidings_processes", steady(2), 'role="web",version="1"')
        | both("tidings_processes", steady(1), 'role="worker",version="2"'),
        [HERE],
    ),
    Case(
        "TidingsMixedVersions",
        both("tidings_processes", steady(2), 'role="web",version="1"')
        | both("tidings_processes", steady(1), 'role="worker",version="1"'),
    ),
    Case("TidingsDeliveriesLate", both("tidings_oldest_sendable_seconds", growing(60)), [HERE]),
    Case("TidingsDeliveriesLate", both("tidings_oldest_sendable_seconds", steady(20))),
    Case(
        "TidingsChannelLate",
        channel("cap", 1000),
        [HERE | {"channel": "chn_1", "name": "Warehouse", "reason": "cap"}],
    ),
    Case("TidingsChannelLate", channel("cap", 100) | channel("pause", 100_000)),
    Case("TidingsClaimsWaitForEachOther", claims(seconds=0.3, lock=0.2), [HERE]),
    Case("TidingsClaimsWaitForEachOther", claims(seconds=0.01, lock=0.001, timeouts=2), [HERE]),
    Case("TidingsClaimsWaitForEachOther", claims(seconds=0.3, lock=0.001)),
    Case("TidingsRecordingSlow", mean("tidings_record_duration_seconds", 0.5), [HERE]),
    Case("TidingsRecordingSlow", mean("tidings_record_duration_seconds", 0.02)),
    Case("TidingsClaimsSlow", claims(seconds=0.3, lock=0.1), [HERE]),
    Case("TidingsClaimsSlow", claims(seconds=0.3, lock=0.29)),
    Case("TidingsPurgeSlow", mean("tidings_purge_duration_seconds", 2400), [HERE]),
    Case("TidingsPurgeSlow", mean("tidings_purge_duration_seconds", 30)),
    Case("TidingsDeadRows", rows(live=1e7, dead=9e6), [HERE | {"table": "notifications_delivery"}]),
    Case("TidingsDeadRows", rows(live=1e7, dead=2e6)),
    Case("TidingsDeadRows", rows(live=1e3, dead=9e5)),
]


def test_each_rule_has_a_case_where_it_goes_off_and_one_where_it_does_not():
    rules = {rule["alert"] for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]}
    assert {case.alert for case in CASES if case.firing} == {case.alert for case in CASES if not case.firing} == rules


@needs_promtool
def test_the_files_are_what_prometheus_takes(tmp_path):
    promtool("check", "rules", str(RULES))
    promtool("check", "config", str(PROMETHEUS / "prometheus.yml.example"))


@pytest.mark.slow
@needs_promtool
def test_each_alert_goes_off_when_it_is_to(tmp_path):
    summaries = {
        rule["alert"]: (rule["labels"], rule["annotations"]["summary"])
        for group in yaml.safe_load(RULES.read_text())["groups"]
        for rule in group["rules"]
    }
    # The text of a summary is looked at elsewhere: here it is left out.
    without = yaml.safe_load(RULES.read_text())
    for group in without["groups"]:
        for rule in group["rules"]:
            del rule["annotations"]
    (tmp_path / "rules.yml").write_text(yaml.safe_dump(without))
    tests = [
        {
            "interval": "1m",
            "name": f"{case.alert} {number}",
            "input_series": [{"series": series, "values": values} for series, values in case.series.items()],
            "alert_rule_test": [
                {
                    "eval_time": HOURS,
                    "alertname": case.alert,
                    "exp_alerts": [{"exp_labels": labels | summaries[case.alert][0]} for labels in case.firing],
                }
            ],
        }
        for number, case in enumerate(CASES)
    ]
    file = tmp_path / "test.yml"
    file.write_text(
        yaml.safe_dump({"rule_files": ["rules.yml"], "evaluation_interval": "1m", "tests": tests}), encoding="utf-8"
    )
    promtool("test", "rules", str(file))


def promtool(*arguments: str) -> None:
    assert PROMTOOL is not None
    done = subprocess.run([PROMTOOL, *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
