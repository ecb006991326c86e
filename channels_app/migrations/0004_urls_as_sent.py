from django.db import migrations

from channels_app.transports.rules import check_url


def spell_as_sent(apps, schema_editor):
    """Give the URLs of postback channels, stored as they were typed, the spelling in which they are sent.

    Those of other kinds are encrypted and shown without their path. Old processes call either spelling alike.
    """
    Channel = apps.get_model("channels_app", "Channel")
    for channel in Channel.objects.exclude(url="").filter(encrypted_url="").only("url"):
        try:
            spelled = check_url(channel.url)
        except ValueError:
            continue  # it cannot be called, and its attempts say why
        if spelled != channel.url:
            Channel.objects.filter(pk=channel.pk, url=channel.url).update(url=spelled)


class Migration(migrations.Migration):
    dependencies = [
        ("channels_app", "0003_kinds_that_people_read"),
    ]

    operations = [
        migrations.RunPython(spell_as_sent, migrations.RunPython.noop),
    ]
