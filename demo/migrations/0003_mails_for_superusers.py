from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("demo", "0002_what_people_read"),
    ]

    operations = [
        migrations.AddField(
            model_name="keptmail",
            name="for_superusers",
            field=models.BooleanField(
                help_text="Whether it opens somebody's account; null while nobody has looked.", null=True
            ),
        ),
    ]
