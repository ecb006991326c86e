from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("channels_app", "0004_urls_as_sent"),
    ]

    operations = [
        migrations.AddField(
            model_name="channel",
            name="earlier_secrets",
            field=models.TextField(blank=True, db_default="", default="", editable=False),
        ),
    ]
