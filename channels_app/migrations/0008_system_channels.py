from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("channels_app", "0007_settings"),
    ]

    operations = [
        migrations.AddField(
            model_name="channel",
            name="system",
            field=models.BooleanField(db_default=False, default=False, editable=False),
        ),
    ]
