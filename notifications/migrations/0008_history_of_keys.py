from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    # People go on working while the index is built.
    atomic = False

    dependencies = [
        ("notifications", "0007_what_waits"),
    ]

    operations = [
        migrations.AddField(
            model_name="historyentry",
            name="api_key_id",
            field=models.BigIntegerField(help_text="Not a foreign key: keys are of the shell's own tables.", null=True),
        ),
        migrations.AlterField(
            model_name="historyentry",
            name="action",
            field=models.CharField(
                choices=[
                    ("enabled", "Turned on"),
                    ("disabled", "Turned off"),
                    ("attached", "Attached"),
                    ("sources", "Sources changed"),
                    ("detached", "Removed"),
                    ("created", "Created"),
                    ("edited", "Edited"),
                    ("paused", "Paused"),
                    ("resumed", "Resumed"),
                    ("revealed", "Secret revealed"),
                    ("rotated", "Secret rotated"),
                    ("secret_ended", "Earlier secret ended"),
                    ("tested", "Test sent"),
                    ("deleted", "Deleted"),
                    ("retried", "Retried"),
                    ("replayed", "Replayed"),
                    ("erased", "Personal data erased"),
                    ("key_made", "API key made"),
                    ("key_revoked", "API key revoked"),
                    ("alerts_added", "Chosen for alerts"),
                    ("alerts_removed", "No longer told of alerts"),
                ],
                max_length=20,
            ),
        ),
        AddIndexConcurrently(
            model_name="historyentry",
            index=models.Index(
                condition=Q(api_key_id__isnull=False), fields=["api_key_id", "-id"], name="history_of_api_key"
            ),
        ),
    ]
