"""Two days of a small coffee roaster, in the order in which they happened. All of it goes through the services.

Between them its people bring about every event type and every status of an order.
"""

from demo.shop import (
    STARTER,
    SURVEY,
    TASTING,
    add_upsell,
    decline,
    latest_order_of,
    lines,
    order,
    pay,
    person,
    price,
    send_parcel,
    stock_shop,
)
from demo.times import ago
from orders.models import Refund, Source
from orders.services import (
    apply_refund,
    cancel_subscription,
    complete_survey,
    create_contact,
    create_contact_by_staff,
    create_quote,
    reach_thank_you,
    sell_quote,
)


def tell_story() -> None:
    """Fill an empty database. In a transaction only."""
    with ago(hours=47, minutes=45):
        stock_shop()
    _first_day()
    _second_day()
    _last_hours()


def _first_day() -> None:
    # Staff meet Grace at a trade fair and offer her a starter set for her café; she agrees the next day.
    with ago(hours=47):
        grace = create_contact_by_staff(data=person("Grace", "Liu", "grace.liu@example.org", tags=["trade fair"]))
    with ago(hours=46, minutes=40):
        offer = create_quote(
            contact=grace.pk,
            items=lines(("KIT-01", 10, "58.00"), ("BEANS-1KG", 20, "19.50")),
            shipping=price("24.00"),
        )

    # Olivia wants the newsletter and buys nothing.
    with ago(hours=45):
        olivia = person("Olivia", "Brown", "olivia.brown@example.com", tags=["newsletter"])
        create_contact(source=Source.SHOP, data=olivia)

    # Priya buys from the shop; her parcel leaves in the evening.
    home = {
        **{"first_name": "Priya", "last_name": "Raman", "line1": "18 Alder Street", "city": "Portland"},
        **{"state": "OR", "zip_code": "97205", "country": "US"},
    }
    with ago(hours=44):
        priya = person("Priya", "Raman", "priya.raman@example.com", shipping_address=home)
        coffee_kit = order(Source.SHOP, priya, ("KIT-01", 1), ("MUG-02", 2), shipping="5.90")
    with ago(hours=43, minutes=57):
        pay(coffee_kit, "pay-2001")

    # Tom takes the course and, asked on the way, the book; then he sees the thank-you page.
    with ago(hours=42):
        tom = person("Tom", "Nguyen", "tom.nguyen@example.com", tags=["barista"])
        course = order(Source.FUNNEL, tom, ("COURSE-01", 1), funnel=STARTER)
    with ago(hours=41, minutes=56):
        pay(course, "pay-3001")
    with ago(hours=41, minutes=54):
        add_upsell(course, "pay-3002", "BOOK-01", "12.00")
    with ago(hours=41, minutes=53):
        reach_thank_you(number=course.number)

    # Jonas's card is declined once; with the second try his monthly coffee begins.
    with ago(hours=40):
        jonas = person("Jonas", "Weber", "jonas.weber@example.org")
        monthly = order(Source.SHOP, jonas, ("CLUB-MONTH", 1), ("BEANS-1KG", 1), shipping="4.90")
    with ago(hours=39, minutes=58):
        decline(monthly, "pay-2002", "card_declined", "The bank declined the card.")
    with ago(hours=39, minutes=55):
        pay(monthly, "pay-2003")

    with ago(hours=38):
        send_parcel(coffee_kit, "UPS", "1Z999AA10123456784", "https://www.ups.com/track?tracknum=1Z999AA10123456784")

    # Margaret orders by telephone and pays by bank transfer.
    with ago(hours=36):
        phone = {"country": "GB", "number": "+44 20 7946 0102"}
        margaret = person("Margaret", "Osei", "margaret.osei@example.org", phone=phone)
        by_telephone = order(Source.ADMIN, margaret, ("BEANS-1KG", 6), ("MUG-02", 12), shipping="18.00", tax="64.80")

    # Samuel leaves his address for the tasting.
    with ago(hours=34):
        samuel = person("Samuel", "Adeyemi", "samuel.adeyemi@example.org")
        create_contact(source=Source.FUNNEL, funnel=TASTING, data=samuel)

    # Chloé joins the tasting club for a year.
    with ago(hours=32):
        chloe = person("Chloé", "Martin", "chloe.martin@example.org")
        yearly = order(Source.FUNNEL, chloe, ("CLUB-YEAR", 1), funnel=TASTING)
    with ago(hours=31, minutes=58):
        pay(yearly, "pay-4003")
    with ago(hours=31, minutes=57):
        reach_thank_you(number=yearly.number)

    # Hannah's mugs: one arrives broken.
    with ago(hours=30):
        hannah = person("Hannah", "Lindqvist", "hannah.lindqvist@example.org")
        mugs = order(Source.SHOP, hannah, ("MUG-02", 4), shipping="6.50")
    with ago(hours=29, minutes=58):
        pay(mugs, "pay-4001")
    with ago(hours=28):
        send_parcel(mugs, "City courier", "CC-20418")
    with ago(hours=26):
        pay(by_telephone, "bank-1001", gateway="bank transfer")
    with ago(hours=25):
        sold = sell_quote(quote_id=offer.pk)
    with ago(hours=24, minutes=30):
        pay(sold, "bank-1002", gateway="bank transfer")


def _second_day() -> None:
    # Kenji's book, bought by mistake.
    with ago(hours=23):
        book = order(Source.SHOP, person("Kenji", "Sato", "kenji.sato@example.com"), ("BOOK-01", 1))
    with ago(hours=22, minutes=58):
        pay(book, "pay-4002")
    with ago(hours=22, minutes=30):
        apply_refund(number=book.number, kind=Refund.Kind.VOID, reason="Bought by mistake")

    # What became of yesterday: a mug is refunded, the club is left.
    mugs, yearly = latest_order_of("hannah.lindqvist@example.org"), latest_order_of("chloe.martin@example.org")
    with ago(hours=21):
        kind, reason = Refund.Kind.REFUND, "One mug arrived broken"
        apply_refund(number=mugs.number, kind=kind, amount=price("14.50"), reason=reason)
    with ago(hours=18):
        cancel_subscription(subscription_id=yearly.subscriptions.get().pk, reason="Moved abroad")
    with ago(hours=17, minutes=50):
        apply_refund(number=yearly.number, kind=kind, amount=price(yearly.total), reason="Moved abroad")

    # Petr orders by telephone and has not paid yet; Margaret thinks an offer over.
    with ago(hours=17):
        order(Source.ADMIN, person("Petr", "Novák", "petr.novak@example.com"), ("KIT-01", 2), shipping="9.00")
    with ago(hours=16):
        margaret = latest_order_of("margaret.osei@example.org").contact
        create_quote(contact=margaret.pk, items=lines(("BEANS-1KG", 40, "18.00")), shipping=price("30.00"))

    # Tom buys the course again, from the shop: he owns it already.
    with ago(hours=14):
        again = order(Source.SHOP, person("Tom", "Nguyen", "tom.nguyen@example.com"), ("COURSE-01", 1))
    with ago(hours=13, minutes=58):
        pay(again, "pay-2004")

    # Olivia, whom the shop knows, comes back by the tasting.
    with ago(hours=12):
        olivia = person("Olivia", "Brown", "olivia.brown@example.com", tags=["tasting"])
        create_contact(source=Source.FUNNEL, funnel=TASTING, data=olivia)

    # The survey: a buyer's, that of somebody known by e-mail, and that of somebody unknown.
    with ago(hours=10):
        bought = latest_order_of("priya.raman@example.com").number
        complete_survey(slug=SURVEY, source=Source.SHOP, order=bought, answers={"stars": 5, "again": True})
    with ago(hours=9):
        answers = {"stars": 4, "heard of us from": "A friend"}
        complete_survey(slug=SURVEY, source=Source.FUNNEL, email="samuel.adeyemi@example.org", answers=answers)
    with ago(hours=8, minutes=30):
        complete_survey(slug=SURVEY, source=Source.SHOP, email="somebody@example.net", answers={"stars": 3})

    # Lucía has filled a basket and not paid it.
    with ago(hours=6):
        lucia = person("Lucía", "Fernández", "lucia.fernandez@example.com")
        order(Source.SHOP, lucia, ("COURSE-01", 1))


def _last_hours() -> None:
    # Daniel's card is declined twice; he gives up.
    with ago(hours=2):
        daniel = person("Daniel", "Rossi", "daniel.rossi@example.com")
        given_up = order(Source.FUNNEL, daniel, ("COURSE-01", 1), ("KIT-01", 1), funnel=STARTER)
    for minutes, reference in ((118, "pay-3004"), (115, "pay-3005")):
        with ago(minutes=minutes):
            decline(given_up, reference, "insufficient_funds", "The account has not enough money.")

    # Aisha has paid and is still in the funnel. Half an hour after the payment her order completes by itself, as
    # every such order does: told as longer ago, it would do so before anybody has seen it paid.
    with ago(minutes=14):
        aisha = person("Aisha", "Karim", "aisha.karim@example.org")
        in_the_funnel = order(Source.FUNNEL, aisha, ("CLUB-YEAR", 1), funnel=TASTING)
    with ago(minutes=12):
        pay(in_the_funnel, "pay-3003")
