import django.contrib.postgres.fields
from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    # Workers go on while the indexes are built.
    atomic = False

    dependencies = [
        ("notifications", "0006_channel_backlog"),
    ]

    operations = [
        migrations.AddField(
            model_name="delivery",
            name="replayed",
            field=models.BooleanField(default=False, db_default=False, help_text="A replay began its present cycle."),
        ),
        migrations.AddField(
            model_name="channelhealth",
            name="failures_sent_at",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.DateTimeField(), default=list, db_default=[], size=None
            ),
        ),
        migrations.AddField(
            model_name="channelhealth", name="success_sent_at", field=models.DateTimeField(null=True)
        ),
        migrations.AlterField(
            model_name="alert",
            name="kind",
            field=models.CharField(
                choices=[
                    ("failing", "A channel keeps failing"),
                    ("still_failing", "A channel still fails"),
                    ("last_warning", "Last warning before a channel is paused"),
                    ("paused", "A channel was paused"),
                    ("recovered", "A channel has recovered"),
                    ("unreadable", "The secrets of a channel cannot be read"),
                    ("overdue", "Deliveries wait for too long"),
                    ("on_time", "Deliveries go out in time again"),
                    ("lost", "Deliveries failed with their workers"),
                    ("slow", "A receiver is slower than what comes in"),
                    ("caught_up", "A receiver has caught up"),
                    ("test", "Test"),
                ],
                max_length=20,
            ),
        ),
        AddIndexConcurrently(
            model_name="delivery",
            index=models.Index(
                fields=["channel", "next_attempt_at"],
                condition=Q(status="pending", next_trigger="test"),
                name="delivery_test_of_channel",
            ),
        ),
        AddIndexConcurrently(
            model_name="delivery",
            index=models.Index(
                fields=["channel", "next_attempt_at"],
                condition=Q(status="pending", next_trigger="manual"),
                name="delivery_retried",
            ),
        ),
        AddIndexConcurrently(
            model_name="delivery",
            index=models.Index(
                fields=["channel", "next_attempt_at"],
                condition=Q(status="pending", unknowns_in_row__gt=0),
                name="delivery_suspect",
            ),
        ),
        AddIndexConcurrently(
            model_name="delivery",
            index=models.Index(
                fields=["channel"], condition=Q(status="pending", replayed=True), name="delivery_replayed"
            ),
        ),
        RemoveIndexConcurrently(model_name="delivery", name="delivery_test_due"),
    ]
