"""Lines of quotes keep the product's title, kind and interval. Those that exist get what the products are now."""

from django.db import migrations, models

KINDS = [("physical", "Physical"), ("digital", "Digital"), ("subscription", "Subscription")]
INTERVALS = [("week", "Week"), ("month", "Month"), ("year", "Year")]
FILL = """
UPDATE orders_quoteitem AS item SET title = product.title, kind = product.kind, interval = product.interval
FROM orders_product AS product WHERE product.id = item.product_id AND item.title = ''
"""


class Migration(migrations.Migration):
    dependencies = [("orders", "0003_money_of_every_currency")]

    operations = [
        migrations.AddField(
            model_name="quoteitem",
            name="title",
            field=models.CharField(max_length=200, default="", db_default=""),
        ),
        migrations.AddField(
            model_name="quoteitem",
            name="kind",
            field=models.CharField(max_length=12, choices=KINDS, default="", db_default=""),
        ),
        migrations.AddField(
            model_name="quoteitem",
            name="interval",
            field=models.CharField(max_length=5, choices=INTERVALS, null=True, blank=True),
        ),
        migrations.RunSQL(FILL, reverse_sql=migrations.RunSQL.noop),
    ]
