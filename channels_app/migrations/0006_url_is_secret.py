from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("channels_app", "0005_earlier_secrets"),
    ]

    operations = [
        migrations.AddField(
            model_name="channel",
            name="url_is_secret",
            field=models.BooleanField(db_default=False, default=False, editable=False),
        ),
    ]
