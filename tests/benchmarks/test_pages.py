"""The pages of the back office cost as much with many rows as with few."""

from django.db.models import Sum

from api.keys import create_key
from benchmarks.fill import count_hours, fill
from benchmarks.pages import administrator, counted_whole, open_pages
from notifications.models import ChannelHour, Delivery, DeliveryAttempt, Event
from orders.models import Contact, Order
from tests.browser.pages import PAGES

# Multiples of 200, so that the newest order, whose pages are opened, is of the same kind each time.
FEW, MANY = 400, 2_000


def test_every_page_asks_as_often_with_many_rows_as_with_few_and_counts_no_large_table(db):
    client = administrator()
    create_key(name="Shop", scopes=["storefront"])
    fill(FEW)
    few = open_pages(client)
    fill(MANY - FEW)
    many = open_pages(client)
    assert Delivery.objects.count() == MANY
    assert list(many) == list(PAGES)
    more = {
        name: (len(few[name].statements), len(page.statements))
        for name, page in many.items()
        if len(page.statements) != len(few[name].statements)
    }
    assert more == {}
    counted = {name: counted_whole(page.statements) for name, page in many.items()}
    assert {name: statements for name, statements in counted.items() if statements} == {}


def test_what_fills_the_tables_leaves_the_rows_that_the_product_itself_would_leave(db):
    fill(200)
    fill(200)
    assert [model.objects.count() for model in (Delivery, Event, Order, Contact)] == [400, 200, 40, 20]
    newest_first = [
        list(model.objects.order_by("-pk").values_list("pk", flat=True)[:50])
        == list(model.objects.order_by(time, "pk").reverse().values_list("pk", flat=True)[:50])
        for model, time in ((Delivery, "created_at"), (Event, "created_at"), (Contact, "created_at"))
    ]
    assert newest_first == [True] * 3
    finished = Delivery.objects.exclude(status="pending")
    assert finished.aggregate(Sum("attempts_made"))["attempts_made__sum"] == DeliveryAttempt.objects.count()
    hours = ChannelHour.objects.aggregate(Sum("succeeded"), Sum("failed"))
    assert hours == {
        "succeeded__sum": finished.filter(status="succeeded").count(),
        "failed__sum": finished.filter(status="failed").count(),
    }
    answered = sum(sum(hour.latencies) for hour in ChannelHour.objects.all())
    assert answered == DeliveryAttempt.objects.count()
    before = list(ChannelHour.objects.order_by("channel", "hour").values_list("channel", "hour", "latencies"))
    count_hours()
    assert list(ChannelHour.objects.order_by("channel", "hour").values_list("channel", "hour", "latencies")) == before
