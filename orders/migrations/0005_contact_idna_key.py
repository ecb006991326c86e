"""E-mail addresses are compared by the ASCII form of their domain.

Of two contacts that are one person by that, both stay as they are, with their orders, and each is found by its own
spelling: which one to keep is for people to say.
"""

from typing import Any

import django.db.models.functions.comparison
from django.db import migrations, models
from django.db.models.functions import Coalesce

from orders.email_keys import idna_key


def fill(apps: Any, schema_editor: Any) -> None:
    contacts = apps.get_model("orders", "Contact").objects
    for contact in contacts.filter(email__regex="[^ -~]").order_by("pk").iterator():
        key = idna_key(contact.email)
        if key is not None and not contacts.alias(by=Coalesce("idna_key", "email_key")).filter(by=key).exists():
            contacts.filter(pk=contact.pk).update(idna_key=key)


class Migration(migrations.Migration):
    dependencies = [("orders", "0004_quote_items_as_offered")]

    operations = [
        migrations.AddField(
            model_name="contact",
            name="idna_key",
            field=models.TextField(blank=True, editable=False, null=True),
        ),
        migrations.RunPython(fill, migrations.RunPython.noop),
        migrations.AddConstraint(
            model_name="contact",
            constraint=models.UniqueConstraint(
                django.db.models.functions.comparison.Coalesce("idna_key", "email_key"),
                name="contact_address_once",
                violation_error_message="This e-mail is known.",
            ),
        ),
    ]
