import django.contrib.postgres.fields
import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):
    # Two small new tables: processes of before neither read nor write them. The choices change no column.

    dependencies = [
        ("notifications", "0010_event_correlation"),
    ]

    operations = [
        migrations.CreateModel(
            name="MetricProcess",
            fields=[
                ("id", models.UUIDField(primary_key=True, serialize=False)),
                ("role", models.CharField(max_length=20)),
                ("version", models.CharField(max_length=40)),
                ("reports", models.PositiveBigIntegerField()),
                ("gauges", models.JSONField(default=dict)),
                ("seen_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                "verbose_name_plural": "metric processes",
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="MetricTotal",
            fields=[
                ("series", models.TextField(primary_key=True, serialize=False)),
                (
                    "totals",
                    django.contrib.postgres.fields.ArrayField(base_field=models.FloatField(), size=None),
                ),
            ],
            options={
                "default_permissions": (),
            },
        ),
        migrations.AlterField(
            model_name="heartbeat",
            name="name",
            field=models.CharField(
                choices=[("worker", "Worker"), ("beat", "Beat"), ("recount", "Recount"), ("purge", "Purge")],
                max_length=10,
                primary_key=True,
                serialize=False,
            ),
        ),
    ]
