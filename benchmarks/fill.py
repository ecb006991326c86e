"""Fills the tables with what 90 days of a busy shop leave behind, to look at pages and queries on their real size.

`python -m benchmarks.fill --deliveries 1000000` works on the database of the environment. Its channels are 20, some of
which fail or are paused; of two deliveries each, events come five to an order, two orders to a contact. It goes around
the services, which would take hours, and keeps every constraint of the tables.
"""

import argparse
import os
import time
from collections.abc import Callable
from decimal import Decimal

import django
from django.db import connection, transaction

CHANNELS = 20
DELIVERIES_OF_AN_EVENT = 2
EVENTS_OF_AN_ORDER = 5
DELIVERIES_OF_AN_ORDER = DELIVERIES_OF_AN_EVENT * EVENTS_OF_AN_ORDER
DEFAULT_DELIVERIES = 1_000_000

# Ids are TypeIDs: 48 bits of milliseconds, which ten characters hold, then what tells ids of the same moment apart.
# Both follow from the number of the thing, so that what refers to it needs no look-up.
_FUNCTIONS = """
CREATE OR REPLACE FUNCTION pg_temp.public_id(prefix text, at timestamptz, number bigint) RETURNS text
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    ms bigint := extract(epoch FROM at) * 1000;
    hash text := md5(prefix || number);
    alphabet text := '0123456789abcdefghjkmnpqrstvwxyz';
    id text := '';
BEGIN
    FOR place IN REVERSE 9..0 LOOP
        id := id || substr(alphabet, (ms >> (5 * place) & 31)::int + 1, 1);
    END LOOP;
    -- The version (7) and the variant of a UUID stand at fixed places among the rest.
    RETURN prefix || '_' || id || 'e' || substr(hash, 1, 2) || '9' || substr(hash, 3, 12);
END $$;
CREATE OR REPLACE FUNCTION pg_temp.dice(number bigint, salt bigint) RETURNS int LANGUAGE sql IMMUTABLE AS
$$ SELECT hashint8extended(number, salt)::int8 & 1023 $$;
"""
# One row an order: everything else hangs on it.
_PLAN = """
CREATE TEMP TABLE plan AS
SELECT n, at, customer_at, pg_temp.public_id('con', customer_at, (n + 1) / 2) AS contact_id,
    %(orders_before)s + n AS id,
    pg_temp.public_id('txn', at, n) AS transaction_id,
    (ARRAY['shop', 'funnel', 'admin'])[1 + n %% 3] AS source,
    CASE WHEN n %% 10 = 0 THEN 'open' WHEN n %% 20 = 5 THEN 'refunded' ELSE 'completed' END AS status,
    products.id AS product_id, products.sku, products.title, products.kind, products.interval, products.unit_price,
    funnels.id AS funnel_id
FROM generate_series(%(first)s, %(last)s) AS n
CROSS JOIN LATERAL (
    SELECT now() - interval '10 minutes' - interval '90 days' * (1 - (n - %(first)s + 1.0) / %(count)s) AS at,
        now() - interval '10 minutes'
            - interval '90 days' * (1 - ((n + 1) / 2 * 2 - 1 - %(first)s + 1.0) / %(count)s) AS customer_at
) times
JOIN orders_product products ON products.sku = 'BENCH-' || n %% 7
LEFT JOIN orders_funnel funnels ON n %% 3 = 1 AND funnels.slug = 'bench'
"""
_CONTACTS = """
INSERT INTO orders_contact (id, email, first_name, last_name, tags, status, source, created_at)
SELECT contact_id, 'buyer' || n || '@example.com', 'Buyer', 'Number ' || n, '{}',
    CASE WHEN status = 'open' THEN 'lead' ELSE 'customer' END, source, customer_at
FROM plan WHERE n %% 2 = 1
"""
_ORDERS = """
INSERT INTO orders_order (id, contact_id, source, origin, status, funnel_id, currency, subtotal, shipping, tax, total,
    paid_total, refunded_total, first_paid_at, completed_at, created_at)
SELECT id, contact_id, source, source, status, funnel_id, 'USD', unit_price, 4.90, 0, unit_price + 4.90,
    CASE WHEN status = 'open' THEN 0 ELSE unit_price + 4.90 END,
    CASE WHEN status = 'refunded' THEN unit_price + 4.90 ELSE 0 END,
    CASE WHEN status <> 'open' THEN at END, CASE WHEN status <> 'open' THEN at END, at
FROM plan
"""
_TRANSACTIONS = """
INSERT INTO orders_transaction (id, order_id, kind, status, amount, refunded_total, currency, gateway, reference,
    is_upsell, decline_code, decline_message, created_at)
SELECT transaction_id, id, 'purchase', CASE WHEN status = 'open' THEN 'declined' ELSE 'approved' END,
    unit_price + 4.90, CASE WHEN status = 'refunded' THEN unit_price + 4.90 ELSE 0 END, 'USD', 'bench', 'ref-' || n,
    false, CASE WHEN status = 'open' THEN 'card_declined' END,
    CASE WHEN status = 'open' THEN 'The bank declined the card.' END, at
FROM plan
"""
_ITEMS = """
INSERT INTO orders_orderitem (id, order_id, product_id, paid_by_id, sku, title, kind, interval, quantity, unit_price,
    total, is_upsell)
SELECT %(items_before)s + n, id, product_id, CASE WHEN status <> 'open' THEN transaction_id END, sku, title, kind,
    interval, 1, unit_price, unit_price, false
FROM plan
"""
_REFUNDS = """
INSERT INTO orders_refund (id, order_id, transaction_id, kind, amount, currency, reason, created_at)
SELECT pg_temp.public_id('ref', at, n), id, transaction_id, 'refund', unit_price + 4.90, 'USD', 'Sent back', at
FROM plan WHERE status = 'refunded'
"""
_SUBSCRIPTIONS = """
INSERT INTO orders_subscription (id, order_id, contact_id, product_id, item_id, transaction_id, status, amount,
    currency, interval, source, started_at)
SELECT pg_temp.public_id('sub', at, n), id, contact_id, product_id, %(items_before)s + n, transaction_id, 'active',
    unit_price, 'USD', interval, source, at
FROM plan WHERE kind = 'subscription' AND status <> 'open'
"""
_QUOTES = """
WITH quote AS (
    INSERT INTO orders_quote (contact_id, status, currency, subtotal, shipping, tax, total, created_at)
    SELECT contact_id, 'open', 'USD', unit_price, 0, 0, unit_price, at FROM plan WHERE n %% 20 = 1
    RETURNING id, total
)
INSERT INTO orders_quoteitem (quote_id, product_id, quantity, unit_price)
SELECT quote.id, (SELECT min(id) FROM orders_product), 1, total FROM quote
"""
_RESPONSES = """
INSERT INTO orders_surveyresponse (id, survey_id, order_id, contact_id, source, answers, completed_at)
SELECT pg_temp.public_id('rsp', at, n), survey.id, plan.id, contact_id, source, '{"stars": 4}', at
FROM plan JOIN orders_survey survey ON survey.slug = 'bench' WHERE n %% 20 = 2
"""
# The five events of an order, and of each the two channels that it goes to; the first ones hear of most.
_EVENTS = """
CREATE TEMP TABLE happened AS
SELECT number, at, type, pg_temp.public_id('evt', at, number) AS id, order_id, contact_id, source,
    first_channel, (first_channel + 1 + pg_temp.dice(number, 2) %% %(others)s) %% %(channels)s AS second_channel
FROM (
    SELECT (n - 1) * 5 + k AS number, at + interval '30 seconds' * k AS at, id AS order_id, contact_id, source,
        CASE k WHEN 1 THEN 'contact.created'
            WHEN 2 THEN CASE status WHEN 'open' THEN 'transaction.declined' ELSE 'transaction.approved' END
            WHEN 3 THEN CASE status WHEN 'open' THEN 'transaction.declined' ELSE 'order.completed' END
            WHEN 4 THEN 'shipping.tracking_updated'
            ELSE CASE n %% 20 WHEN 5 THEN 'refund.applied' WHEN 1 THEN 'subscription.canceled'
                WHEN 2 THEN 'survey.completed' WHEN 3 THEN 'product.conflict' ELSE 'customer.created' END
        END AS type,
        (%(channels)s * (pg_temp.dice((n - 1) * 5 + k, 1) / 1024.0) ^ 2)::int %% %(channels)s AS first_channel
    FROM plan CROSS JOIN generate_series(1, 5) AS k
) numbered;
INSERT INTO notifications_event (id, type, source, order_id, contact_id, facts, body, routing, created_at)
SELECT happened.id, type, source, order_id, contact_id, '{}', replace(sample.body, 'evt_sample', happened.id),
    jsonb_build_array(
        jsonb_build_object('channel', one.id, 'name', one.name, 'outcome', 'delivered',
            'delivery', pg_temp.public_id('dlv', at, happened.number * 2 - 1)),
        jsonb_build_object('channel', two.id, 'name', two.name, 'outcome', 'delivered',
            'delivery', pg_temp.public_id('dlv', at, happened.number * 2))),
    at
FROM happened JOIN bench_sample sample USING (type)
JOIN bench_channel one ON one.place = first_channel JOIN bench_channel two ON two.place = second_channel
"""
# Of a hundred some 92 arrive at once, 4 at the second try, 4 never; what is new for a paused channel is held.
_DELIVERIES = """
CREATE TEMP TABLE told AS
SELECT number, pg_temp.public_id('dlv', at, number) AS id, event_id, type, channel.id AS channel_id, channel.url, at,
    CASE WHEN channel.paused AND at > now() - interval '2 days' THEN 0 WHEN luck < 40 THEN 4 WHEN luck < 80 THEN 2
        ELSE 1 END AS attempts,
    luck >= 40 AS arrives, 20 + pg_temp.dice(number, 4) * pg_temp.dice(number, 5) / 700 AS duration_ms
FROM (
    SELECT happened.number * 2 - 2 + k AS number, id AS event_id, type, at,
        CASE k WHEN 1 THEN first_channel ELSE second_channel END AS channel_number,
        pg_temp.dice(happened.number * 2 - 2 + k, 3) AS luck
    FROM happened CROSS JOIN generate_series(1, 2) AS k
) numbered JOIN bench_channel channel ON channel.place = channel_number;
INSERT INTO notifications_delivery (id, event_id, event_type, channel_id, status, next_attempt_at, next_trigger,
    attempts_made, automatic_retries, unknowns_in_row, outcome, status_code, error, created_at, finished_at)
SELECT id, event_id, type, channel_id,
    CASE WHEN attempts = 0 THEN 'pending' WHEN arrives THEN 'succeeded' ELSE 'failed' END,
    CASE WHEN attempts = 0 THEN at END, 'first', attempts, greatest(attempts - 1, 0), 0,
    CASE WHEN attempts = 0 THEN '' WHEN arrives THEN 'succeeded' ELSE 'http_error' END,
    CASE WHEN attempts > 0 THEN CASE WHEN arrives THEN 200 ELSE 503 END END,
    CASE WHEN attempts = 0 OR arrives THEN '' ELSE 'The receiver answered 503.' END, at,
    CASE WHEN attempts > 0 THEN at + interval '100 seconds' * (attempts - 1) + interval '1 ms' * duration_ms END
FROM told
"""
_ATTEMPTS = """
INSERT INTO notifications_deliveryattempt (id, delivery_id, number, trigger, outcome, url, status_code,
    request_headers, response_headers, response_body, started_at, duration_ms, error, connection)
SELECT pg_temp.public_id('att', started_at, told.number * 4 + k), told.id, k,
    CASE k WHEN 1 THEN 'first' ELSE 'automatic' END, CASE WHEN answered THEN 'succeeded' ELSE 'http_error' END, url,
    CASE WHEN answered THEN 200 ELSE 503 END,
    jsonb_build_object('content-type', 'application/json; charset=utf-8', 'user-agent', 'Tidings/0.1.0',
        'webhook-id', event_id, 'webhook-timestamp', extract(epoch FROM started_at)::bigint::text,
        'webhook-signature', 'v1,***'),
    '{"content-type": "text/plain", "content-length": "2"}', CASE WHEN answered THEN 'ok' ELSE 'no' END, started_at,
    duration_ms, CASE WHEN answered THEN '' ELSE 'The receiver answered 503.' END,
    '{"address": "192.0.2.7", "kept": true, "first_byte_ms": 20}'
FROM told CROSS JOIN LATERAL (
    SELECT k, at + interval '100 seconds' * (k - 1) AS started_at, arrives AND k = attempts AS answered
    FROM generate_series(1, attempts) AS k
) attempt
"""
_HISTORY = """
INSERT INTO notifications_historyentry (at, by, action, sentence, channel_id, event_type, delivery_id)
SELECT at, 'bench', 'retried', 'Retried a delivery to a channel of the benchmark.', channel_id, type, id
FROM told WHERE number %% 100 = 0
"""
_SEQUENCES = """
SELECT setval(pg_get_serial_sequence('orders_order', 'id'), (SELECT max(id) FROM orders_order)),
    setval(pg_get_serial_sequence('orders_orderitem', 'id'), (SELECT max(id) FROM orders_orderitem))
"""
_END = "DROP TABLE plan, happened, told, bench_channel, bench_sample"
_STEPS = (
    ("plan", _PLAN),
    ("contacts", _CONTACTS),
    ("orders", _ORDERS),
    ("transactions", _TRANSACTIONS),
    ("items", _ITEMS),
    ("refunds", _REFUNDS),
    ("subscriptions", _SUBSCRIPTIONS),
    ("quotes", _QUOTES),
    ("survey responses", _RESPONSES),
    ("events", _EVENTS),
    ("deliveries", _DELIVERIES),
    ("attempts", _ATTEMPTS),
    ("history", _HISTORY),
    ("order numbers", _SEQUENCES),
)


def fill(deliveries: int, say: Callable[[str], None] | None = None) -> None:
    """Adds so many deliveries, with the events, orders and contacts that they are of; `say` hears what took how long.

    `deliveries` is a multiple of 20. What an earlier call has added stays, and counts as older or newer by its time.
    """
    say = say or _nothing
    count, remainder = divmod(deliveries, DELIVERIES_OF_AN_ORDER)
    if remainder or count % 2:
        raise ValueError("The number of deliveries must be a multiple of 20.")
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(_FUNCTIONS)
            cursor.execute("SELECT count(*) FROM orders_transaction WHERE gateway = 'bench'")
            before = cursor.fetchone()[0]
            cursor.execute("SELECT coalesce(max(id), 0) FROM orders_order")
            orders_before = cursor.fetchone()[0] - before
            cursor.execute("SELECT coalesce(max(id), 0) FROM orders_orderitem")
            items_before = cursor.fetchone()[0] - before
        _stock()
        values = {
            "first": before + 1,
            "last": before + count,
            "count": count,
            "orders_before": orders_before,
            "items_before": items_before,
            "channels": CHANNELS,
            "others": CHANNELS - 1,
        }
        for name, statement in _STEPS:
            started = time.monotonic()
            with connection.cursor() as cursor:
                cursor.execute(statement, values)
                say(f"{name:<18} {cursor.rowcount:>9,} rows {time.monotonic() - started:6.1f} s")
        with connection.cursor() as cursor:
            cursor.execute(_END)
    started = time.monotonic()
    count_hours()
    say(f"{'hours of channels':<36} {time.monotonic() - started:6.1f} s")
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def _nothing(_line: str) -> None:
    """Says nothing."""


def _stock() -> None:
    """Products of every kind, a funnel, a survey, and the channels with their names in a table of this transaction."""
    from channels_app.models import Channel
    from notifications.events import EVENT_TYPES
    from notifications.events.bodies import sample_body
    from notifications.models import ChannelHealth, EventChannel, EventTypeSwitch
    from orders.models import Funnel, Product, Survey

    for number in range(7):
        kind = "physical" if number < 4 else "digital" if number < 6 else "subscription"
        Product.objects.get_or_create(
            sku=f"BENCH-{number}",
            defaults={
                "title": f"Thing {number}",
                "kind": kind,
                "interval": "month" if kind == "subscription" else None,
                "unit_price": Decimal(10 + number),
            },
        )
    Funnel.objects.get_or_create(slug="bench", defaults={"name": "Bench"})
    Survey.objects.get_or_create(slug="bench", defaults={"title": "How is the bench?"})
    channels = list(Channel.objects.filter(name__startswith="Receiver ").order_by("name"))
    if not channels:
        channels = [
            Channel(name=f"Receiver {number:02}", kind="postback", url=f"https://example.com/hooks/{number}")
            for number in range(CHANNELS)
        ]
        for channel in channels:
            channel.secret = "whsec_" + "A" * 43 + "="
        for channel in channels[-2:]:
            channel.paused_at, channel.pause_reason = channel.created_at, "The receiver moves to a new server."
        Channel.objects.bulk_create(channels)
        EventTypeSwitch.objects.bulk_create(
            [EventTypeSwitch(event_type=key, enabled=True, changed_by="bench") for key in EVENT_TYPES],
            ignore_conflicts=True,
        )
        EventChannel.objects.bulk_create(
            EventChannel(event_type=key, channel=channel, sources=["admin", "shop", "funnel"])
            for key in EVENT_TYPES
            for channel in channels
        )
        ChannelHealth.objects.bulk_create(
            ChannelHealth(
                channel=channel,
                failures_in_row=7,
                failing_since=channel.created_at,
                latest_error="The receiver answered 503.",
                probe_at=channel.created_at,
            )
            for channel in channels[5:7]
        )
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TEMP TABLE bench_channel (place int, id text, name text, url text, paused boolean);"
            "CREATE TEMP TABLE bench_sample (type text, body text)"
        )
        cursor.executemany(
            "INSERT INTO bench_channel VALUES (%s, %s, %s, %s, %s)",
            [
                (number, channel.pk, channel.name, channel.url, channel.paused_at is not None)
                for number, channel in enumerate(channels)
            ],
        )
        cursor.executemany(
            "INSERT INTO bench_sample VALUES (%s, %s)",
            [(key, sample_body(event_type, event_id="evt_sample")) for key, event_type in EVENT_TYPES.items()],
        )


def count_hours() -> None:
    """What the engine would have counted of all deliveries that there are, hour by hour."""
    from notifications.latencies import BOUNDS_MS

    # The index of the first bound that is not below, as `notifications.latencies.bucket` finds it.
    bucket = f"least(width_bucket(duration_ms - 1, ARRAY[{', '.join(map(str, BOUNDS_MS))}]), {len(BOUNDS_MS) - 1})"
    counts = ", ".join(f"count(*) FILTER (WHERE bucket = {index})" for index in range(len(BOUNDS_MS)))
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("DELETE FROM notifications_channelhour")
        cursor.execute(
            f"""
            INSERT INTO notifications_channelhour (channel_id, hour, succeeded, failed, latencies)
            SELECT channel_id, hour, coalesce(succeeded, 0), coalesce(failed, 0),
                coalesce(latencies, array_fill(0, ARRAY[{len(BOUNDS_MS)}]))
            FROM (
                SELECT channel_id, date_trunc('hour', finished_at, 'UTC') AS hour,
                    count(*) FILTER (WHERE status = 'succeeded') AS succeeded,
                    count(*) FILTER (WHERE status = 'failed') AS failed
                FROM notifications_delivery WHERE finished_at IS NOT NULL GROUP BY 1, 2
            ) finished
            FULL JOIN (
                SELECT channel_id, hour, ARRAY[{counts}] AS latencies FROM (
                    SELECT channel_id, {bucket} AS bucket,
                        date_trunc('hour', started_at + interval '1 ms' * duration_ms, 'UTC') AS hour
                    FROM notifications_deliveryattempt attempt
                    JOIN notifications_delivery delivery ON delivery.id = attempt.delivery_id
                    WHERE attempt.status_code IS NOT NULL
                ) answered GROUP BY 1, 2
            ) answers USING (channel_id, hour)
            """
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--deliveries", type=int, default=DEFAULT_DELIVERIES, help="%(default)s unless given")
    arguments = parser.parse_args()
    started = time.monotonic()
    fill(arguments.deliveries, say=print)
    print(f"{arguments.deliveries:,} deliveries in {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    main()
