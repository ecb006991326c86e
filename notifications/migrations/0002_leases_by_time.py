from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    # Workers go on while the index is built.
    atomic = False

    dependencies = [
        ("channels_app", "0002_resumed_at"),
        ("notifications", "0001_initial"),
        ("orders", "0001_initial"),
    ]

    operations = [
        AddIndexConcurrently(
            model_name="delivery",
            index=models.Index(
                fields=["channel", "lease_expires_at"],
                condition=models.Q(("lease_token__isnull", False)),
                name="delivery_leased",
            ),
        ),
        RemoveIndexConcurrently(model_name="delivery", name="delivery_in_flight"),
    ]
