from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("channels_app", "0006_url_is_secret"),
    ]

    operations = [
        migrations.AddField(
            model_name="channel",
            name="encrypted_settings",
            field=models.TextField(blank=True, db_default="", default="", editable=False),
        ),
    ]
