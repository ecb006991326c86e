"""What the processes have counted, for `/metrics`. Written and read by `notifications.metrics` only."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now


class MetricTotal(models.Model):
    """One series, added up over all processes that there have ever been.

    `series` is its name, its labels and the bounds of its buckets (JSON), `totals` the value of a counter, or the
    cumulative counts of a histogram's buckets followed by the sum of what was observed.
    """

    series = models.TextField(primary_key=True)
    totals = ArrayField(models.FloatField())

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return self.series


class MetricProcess(models.Model):
    """A process that reports to `MetricTotal`, forgotten some time after it was last seen.

    `reports` is the number of the last report of its that was added, so that none is added twice. `gauges` are what it
    measured then: values by series, as in `MetricTotal`.
    """

    id = models.UUIDField(primary_key=True)
    role = models.CharField(max_length=20)
    version = models.CharField(max_length=40)
    reports = models.PositiveBigIntegerField()
    gauges = models.JSONField(default=dict)
    seen_at = models.DateTimeField(db_default=Now())

    class Meta:
        verbose_name_plural = "metric processes"
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.role} {self.id}, seen at {self.seen_at:%H:%M:%S}"
