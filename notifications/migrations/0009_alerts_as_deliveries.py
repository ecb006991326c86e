import django.db.models.deletion
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models import Q


# Backwards: to the processes of before they would be deliveries as all others.
FORGET = """
DELETE FROM notifications_deliveryattempt attempt USING notifications_delivery delivery
WHERE delivery.id = attempt.delivery_id AND delivery.is_alert;
DELETE FROM notifications_delivery WHERE is_alert;
DELETE FROM notifications_event WHERE starts_with(type, 'alert.');
DELETE FROM notifications_channelhealth USING channels_app_channel channel WHERE channel.id = channel_id AND system;
DELETE FROM notifications_channelhour USING channels_app_channel channel WHERE channel.id = channel_id AND system;
DELETE FROM channels_app_channel WHERE system;
"""


class Migration(migrations.Migration):
    # Workers go on while the index is built.
    atomic = False

    dependencies = [
        ("channels_app", "0008_system_channels"),
        ("notifications", "0008_history_of_keys"),
    ]

    operations = [
        migrations.AddField(
            model_name="delivery",
            name="is_alert",
            field=models.BooleanField(db_default=False, default=False, editable=False),
        ),
        AddIndexConcurrently(
            model_name="delivery",
            index=models.Index(
                fields=["channel", "next_attempt_at"],
                condition=Q(status="pending", is_alert=True),
                name="delivery_alert_due",
            ),
        ),
        migrations.CreateModel(
            name="AlertDelivery",
            fields=[],
            options={"proxy": True, "default_permissions": (), "indexes": [], "constraints": []},
            bases=("notifications.delivery",),
        ),
        # Django empties tables without those that it does not know, so none of them may refer to another.
        migrations.AlterField(
            model_name="alertcopy",
            name="alert",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="copies",
                to="notifications.alert",
            ),
        ),
        migrations.AlterField(
            model_name="alertcopy",
            name="channel",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="alert_copies",
                to="channels_app.channel",
            ),
        ),
        # The column stays as it is, and so does the table of the copies: processes of the release before use both.
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.RemoveIndex(model_name="alert", name="alert_of_channel"),
                migrations.DeleteModel(name="AlertCopy"),
                migrations.RenameField(model_name="alert", old_name="id", new_name="event"),
                migrations.AlterField(
                    model_name="alert",
                    name="event",
                    field=models.OneToOneField(
                        db_column="id",
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="alert",
                        serialize=False,
                        to="notifications.event",
                    ),
                ),
                migrations.AlterModelOptions(name="alert", options={"ordering": ["-event_id"]}),
                migrations.AddIndex(
                    model_name="alert",
                    index=models.Index(fields=["channel", "kind", "-event"], name="alert_of_channel"),
                ),
            ],
        ),
        migrations.AddField(
            model_name="alert",
            name="told_with",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to="notifications.alert",
            ),
        ),
        migrations.RunSQL(migrations.RunSQL.noop, FORGET),
    ]
