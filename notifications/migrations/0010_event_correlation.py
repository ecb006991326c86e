from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models import Q

import notifications.correlation


class Migration(migrations.Migration):
    # Events are recorded while the index is built. Both columns take null, so no row is rewritten, and processes of the
    # version before go on recording without them.
    atomic = False

    dependencies = [
        ("notifications", "0009_alerts_as_deliveries"),
    ]

    operations = [
        migrations.AddField(
            model_name="event",
            name="request_id",
            field=models.CharField(
                blank=True,
                default=notifications.correlation.request_id,
                editable=False,
                help_text="Of the request that it came of.",
                max_length=128,
                null=True,
            ),
        ),
        migrations.AddField(
            model_name="event",
            name="trace_context",
            field=models.JSONField(
                blank=True, editable=False, help_text="By W3C Trace Context, where it is traced.", null=True
            ),
        ),
        AddIndexConcurrently(
            model_name="event",
            index=models.Index(
                condition=Q(request_id__isnull=False), fields=["request_id", "-id"], name="event_of_request"
            ),
        ),
    ]
