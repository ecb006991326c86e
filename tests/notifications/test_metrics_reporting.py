"""What processes have counted is added up in PostgreSQL, each count once."""

import threading
from uuid import uuid4

import pytest
from django.db import OperationalError, connection
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from notifications.metrics import instruments, reporting, totals
from notifications.metrics.reporting import Reporter
from notifications.models import MetricProcess, MetricTotal
from tests.waiting import wait_until

SENT = '["sent",{"kind":"postback"},[]]'
TOOK = '["took",{},[0.1,1.0]]'


class Process:
    """Stands for a process: it has counters and a reporter of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.sent = Counter("sent", "Sent.", ["kind"], registry=self.registry)
        self.took = Histogram("took", "Took.", buckets=[0.1, 1], registry=self.registry)
        self.used = Gauge("used", "Used.", ["role"], registry=self.registry)
        self.reporter = Reporter(self.registry, counts=object)

    def send(self, number: int) -> None:
        self.sent.labels("postback").inc(number)

    def report(self) -> None:
        self.reporter.report()


def total(series: str = SENT) -> list[float]:
    return MetricTotal.objects.get(series=series).totals


@pytest.mark.django_db
class TestReports:
    def test_what_several_processes_count_is_added_up(self):
        one, other = Process(), Process()
        one.send(3)
        one.report()
        other.send(4)
        other.report()
        one.send(1)
        one.report()
        assert total() == [8.0]
        assert MetricProcess.objects.count() == 2

    def test_histograms_are_added_up_bucket_by_bucket(self):
        one, other = Process(), Process()
        for process, seconds in ((one, 0.05), (one, 0.5), (other, 0.5), (other, 7.0)):
            process.took.observe(seconds)
            process.report()
        assert total(TOOK) == [1.0, 3.0, 4.0, pytest.approx(8.05)]

    def test_what_is_reported_is_not_reported_again(self, django_assert_num_queries):
        process = Process()
        process.send(3)
        process.report()
        with django_assert_num_queries(0):
            process.report()
        assert total() == [3.0]

    def test_a_new_process_begins_at_nothing_and_takes_nothing_away(self):
        for _ in range(3):
            restarted = Process()
            restarted.send(2)
            restarted.report()
        assert total() == [6.0]

    def test_a_report_that_failed_is_kept_and_sent_with_what_came_since(self, monkeypatch):
        process = Process()
        process.send(3)
        monkeypatch.setattr(reporting, "REPORT", "SELECT no_such_column")
        process.report()
        assert not MetricTotal.objects.exists()
        monkeypatch.undo()
        process.send(1)
        process.report()
        assert total() == [4.0]

    def test_a_report_whose_commit_was_not_confirmed_is_added_once(self, monkeypatch):
        """The connection broke after the commit and before its answer."""
        process = Process()
        process.send(3)
        send = Reporter._send

        def break_off(self, report, now):
            send(self, report, now)
            self._number, self._reported, self._pending = report.number - 1, {}, report
            raise OperationalError("the connection is lost")

        monkeypatch.setattr(Reporter, "_send", break_off)
        process.report()
        monkeypatch.undo()
        assert total() == [3.0]
        process.send(1)
        process.report()
        assert total() == [4.0]

    def test_counters_that_begin_anew_are_added_as_they_are(self):
        """Such as those of a pool that was closed and made again."""
        process = Process()
        process.send(5)
        process.report()
        process.sent.labels("postback").reset()
        process.send(2)
        process.report()
        assert total() == [7.0]

    def test_rows_of_processes_that_are_long_gone_are_removed(self):
        gone = MetricProcess.objects.create(id=uuid4(), role="web", version="0", reports=1)
        with connection.cursor() as cursor:
            cursor.execute("UPDATE notifications_metricprocess SET seen_at = seen_at - interval '2 hours'")
        kept = Process()
        kept.report()
        assert not MetricProcess.objects.filter(pk=gone.pk).exists()
        assert MetricProcess.objects.count() == 1

    def test_a_missing_table_is_logged_once_and_not_raised(self, monkeypatch, caplog):
        monkeypatch.setattr(reporting, "REPORT", "SELECT no_such_column")
        process = Process()
        for _ in range(3):
            process.send(1)
            process.report()
        assert caplog.text.count("metrics_not_reported") == 1


@pytest.mark.django_db
class TestReading:
    def test_gauges_are_added_up_over_the_living_of_a_role(self):
        gauge = '["tidings_pool_idle",{"role":"web"},[]]'
        for number, age in ((2, 0), (3, 0), (100, 120)):
            MetricProcess.objects.create(
                id=uuid4(), role="web", version="1.0", reports=1, gauges={gauge: float(number)}
            )
            with connection.cursor() as cursor:
                cursor.execute(
                    "UPDATE notifications_metricprocess SET seen_at = seen_at - make_interval(secs => %s) "
                    "WHERE gauges->>%s = %s",
                    [age, gauge, f"{number:.1f}"],
                )
        read = {metric.name: metric.samples for metric in totals.families(totals.read())}
        assert [(sample.labels, sample.value) for sample in read["tidings_pool_idle"]] == [({"role": "web"}, 5.0)]
        assert [(sample.labels, sample.value) for sample in read["tidings_processes"]] == [
            ({"role": "web", "version": "1.0"}, 2.0)
        ]

    def test_what_another_version_has_counted_otherwise_is_left_out(self):
        """It knows other labels, other bounds, other metrics."""
        for series, values in (
            ('["tidings_alerts",{"kind":"failing"},[]]', [2.0]),
            ('["tidings_alerts",{"of":"failing"},[]]', [100.0]),
            ('["tidings_purge_duration_seconds",{},[5.0]]', [1.0, 1.0, 1.0]),
            ('["tidings_of_a_later_version",{},[]]', [1.0]),
        ):
            MetricTotal.objects.create(series=series, totals=values)
        read = {metric.name: metric.samples for metric in totals.families(totals.read())}
        assert [(sample.labels, sample.value) for sample in read["tidings_alerts"]] == [({"kind": "failing"}, 2.0)]
        assert {sample.value for sample in read["tidings_purge_duration_seconds"]} == {0.0}
        assert "tidings_of_a_later_version" not in read


@pytest.mark.django_db(transaction=True)
class TestThread:
    @pytest.fixture
    def process(self):
        process = Process()
        process.reporter.start("worker")
        yield process
        process.reporter.stop()

    def test_the_thread_reports_what_is_new(self, process):
        process.send(3)
        wait_until(lambda: MetricTotal.objects.filter(series=SENT, totals=[3.0]).exists())
        process.send(4)
        wait_until(lambda: MetricTotal.objects.filter(series=SENT, totals=[7.0]).exists())
        assert MetricProcess.objects.get().role == "worker"

    def test_who_asks_for_it_finds_everything_reported(self, process, monkeypatch):
        monkeypatch.setattr(reporting, "REPORTS_EVERY_SECONDS", 3600)
        monkeypatch.setattr(reporting, "LONGEST_PAUSE_SECONDS", 3600)
        for number in range(1, 6):
            process.send(1)
            process.reporter.report_soon(seconds=60)
            assert total() == [float(number)]

    def test_the_last_is_reported_at_the_end(self, process):
        process.send(3)
        process.reporter.stop()
        assert total() == [3.0]
        assert "metrics" not in {thread.name for thread in threading.enumerate()}

    def test_many_at_once_lose_nothing_and_wait_for_nobody_for_ever(self):
        """On rows that all of them change, in whatever order they count."""
        processes = [Process() for _ in range(4)]

        def work(process):
            for kind in ("slack", "email", "postback") * 10:
                process.sent.labels(kind).inc()
                process.report()
            connection.close()

        threads = [threading.Thread(target=work, args=[each]) for each in processes]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert {each.series: each.totals for each in MetricTotal.objects.filter(series__startswith='["sent"')} == {
            f'["sent",{{"kind":"{kind}"}},[]]': [40.0] for kind in ("slack", "email", "postback")
        }


def test_an_error_of_counting_is_logged_now_and_then_and_not_raised(caplog):
    @instruments.harmless
    def break_down() -> None:
        raise RuntimeError("A fault in counting.")

    for _ in range(3):
        break_down()
    assert caplog.text.count("not_counted") == 1
