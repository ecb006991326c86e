"""Amounts get the four decimals of the currencies that have most of them.

Each table is rewritten once, and locked meanwhile, in a transaction of its own: one over all of them would take their
locks in another order than the calls that go on. Processes of the version before go on reading and writing two decimals.
"""

from django.db import migrations, models

AMOUNT, TOTAL = (14, 4), (22, 4)
OLD_AMOUNT, OLD_TOTAL = (12, 2), (20, 2)
COLUMNS = {
    "product": {"unit_price": AMOUNT},
    "order": {
        **{"subtotal": TOTAL, "shipping": AMOUNT, "tax": AMOUNT},
        **{"total": TOTAL, "paid_total": TOTAL, "refunded_total": TOTAL},
    },
    "orderitem": {"unit_price": AMOUNT, "total": TOTAL},
    "transaction": {"amount": AMOUNT, "refunded_total": AMOUNT},
    "refund": {"amount": AMOUNT},
    "quote": {"subtotal": TOTAL, "shipping": AMOUNT, "tax": AMOUNT, "total": TOTAL},
    "quoteitem": {"unit_price": AMOUNT},
    "subscription": {"amount": TOTAL},
}
BEFORE = {AMOUNT: OLD_AMOUNT, TOTAL: OLD_TOTAL}


def rewriting(table: str, types: dict[str, tuple[int, int]]) -> str:
    changes = (f"ALTER COLUMN {name} TYPE numeric({digits}, {places})" for name, (digits, places) in types.items())
    return f"ALTER TABLE orders_{table} {', '.join(changes)}"


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("orders", "0002_times_of_the_database")]

    operations = [
        migrations.RunSQL(
            rewriting(table, columns),
            reverse_sql=rewriting(table, {name: BEFORE[kind] for name, kind in columns.items()}),
            state_operations=[
                migrations.AlterField(
                    model_name=table,
                    name=name,
                    field=models.DecimalField(max_digits=digits, decimal_places=places, default=0),
                )
                for name, (digits, places) in columns.items()
            ],
        )
        for table, columns in COLUMNS.items()
    ]
