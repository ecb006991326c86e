"""Contacts are found by parts of their names and e-mail addresses.

The index is built beside those who write contacts.
"""

import django.contrib.postgres.indexes
import django.contrib.postgres.operations
from django.db import migrations

import orders.models.contacts

# It must name nothing but what PostgreSQL itself brings: indexes are maintained without a search path.
CREATE = """
CREATE OR REPLACE FUNCTION orders_grams(text, text, text) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE COST 1000
AS $$
    WITH searched AS (SELECT lower(' ' || $1 || ' ' || $2 || ' ' || $3) AS words)
    SELECT coalesce(array_agg(DISTINCT gram), '{}')
    FROM (
        SELECT substr(words, place, 3) AS gram FROM searched, generate_series(1, length(words) - 2) AS place
        UNION ALL
        SELECT substr(words, place, 2) FROM searched, generate_series(1, length(words) - 1) AS place
        WHERE substr(words, place, 1) = ' '
    ) AS grams
$$
"""


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("orders", "0005_contact_idna_key")]

    operations = [
        migrations.RunSQL(CREATE, "DROP FUNCTION orders_grams(text, text, text)"),
        django.contrib.postgres.operations.AddIndexConcurrently(
            model_name="contact",
            index=django.contrib.postgres.indexes.GinIndex(
                orders.models.contacts.Grams("first_name", "last_name", "email"), name="contact_searched"
            ),
        ),
    ]
