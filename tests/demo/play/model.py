"""The rules of a shop and its funnels, told a second time: what each call must answer and which events it causes.

Written from the contract alone and importing nothing of the product. One `Rules` knows the contacts and orders of
one person; different persons share nothing but the catalogue. It is told each call after its answer, of which it
reads the ids only.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal

from tests.demo.play.expectation import ANYTHING, Essentials, Event, OneOf
from tests.demo.play.reading import ADDRESS
from tests.demo.play.state import Body, Catalogue, Contact, Item, Order, Product, Subscription, Transaction, money


@dataclass(frozen=True)
class Answered:
    """What came back for a call (`{}` for what is not an object), and two times of one monotonic clock in seconds."""

    body: Body
    began: float  # before the call
    now: float  # after its answer


@dataclass(frozen=True)
class Answer:
    """The right answer: its status, and the essentials of its body where it is not a refusal."""

    status: int
    body: Essentials | None = None


class Rules:
    """`expected` are the events so far. A funnel order completes by itself after `completion_seconds`."""

    def __init__(self, catalogue: Catalogue, completion_seconds: float) -> None:
        self._catalogue = catalogue
        self._completion_seconds = completion_seconds
        self._now = 0.0
        self._references: dict[tuple[str, str], Transaction] = {}
        self._purchases: list[Transaction] = []
        self.contacts: dict[str, Contact] = {}
        self.orders: list[Order] = []
        self.transactions: list[Transaction] = []
        self.expected: list[Event] = []

    def send_contact(self, body: Body, answered: Answered) -> Answer:
        """POST /contacts"""
        contact, reactivated = self._contact(body, body["source"], str(answered.body.get("id")))
        answer = {"contact": contact.essentials, "reactivated": reactivated}
        return Answer(200 if reactivated else 201, answer)

    def open_order(self, body: Body, answered: Answered) -> Answer:
        """POST /orders"""
        self._now = answered.now
        if "id" in body["contact"]:
            contact = next(known for known in self.contacts.values() if known.id == body["contact"]["id"])
        else:
            new_id = str((answered.body.get("contact") or {}).get("id"))
            contact, _ = self._contact(body["contact"], body["source"], new_id)
        order = Order(
            number=str(answered.body.get("number")),
            source=body["source"],
            funnel=body.get("funnel"),
            contact=contact,
            items=self._items(body["items"]),
            shipping=Decimal(str(body.get("shipping", 0))),
            tax=Decimal(str(body.get("tax", 0))),
            shipping_address=body.get("shipping_address"),
            currency=self._catalogue.currency,
        )
        self.orders.append(order)
        return Answer(201, order.essentials(self._now))

    def read_order(self, order: Order, answered: Answered) -> Answer:
        """GET /orders/{number}; learns the ids of its subscriptions."""
        self._now = answered.now
        unnamed = [part for part in order.subscriptions if not part.id]
        taken = {part.id for part in order.subscriptions}
        for shown in answered.body.get("subscriptions", []):
            found = next((part for part in unnamed if part.product.sku == shown["sku"]), None)
            if found and shown["id"] not in taken:
                found.id = shown["id"]
                unnamed.remove(found)
        return Answer(200, order.essentials(self._now))

    def report_transaction(self, order: Order, body: Body, answered: Answered) -> Answer:
        """POST /orders/{number}/transactions"""
        self._now = answered.now
        amount, key = Decimal(str(body["amount"])), (body["gateway"], body["reference"])
        stored = self._references.get(key)
        if stored is not None:
            again = stored.order is order and stored.status == body["status"] and stored.amount == amount
            return Answer(200, stored.essentials) if again else Answer(409)
        if order.refunded:
            return Answer(409)
        transaction = Transaction(
            id=str(answered.body.get("id")),
            order=order,
            status=body["status"],
            amount=amount,
            gateway=body["gateway"],
            reference=body["reference"],
            is_upsell=body.get("is_upsell", False),
            decline_code=body.get("decline_code"),
            decline_message=body.get("decline_message"),
        )
        self._references[key] = transaction
        self.transactions.append(transaction)
        if transaction.status == "declined":
            self._expect_transaction(transaction)
        else:
            self._approve(
                transaction, self._items(body.get("items", []), transaction.is_upsell, paid=True), answered.began
            )
        return Answer(201, transaction.essentials)

    def _approve(self, purchase: Transaction, added: list[Item], began: float) -> None:
        order, contact = purchase.order, purchase.order.contact
        first = not order.purchases
        pays_the_cart = not purchase.is_upsell
        purchase.paid_for = [*(item for item in order.items if pays_the_cart and not item.paid), *added]
        conflicts = list(self._conflicts(purchase))
        order.items = [*(replace(item, paid=item.paid or pays_the_cart) for item in order.items), *added]
        order.subscriptions += [
            Subscription(order, item.product, item.total)
            for item in purchase.paid_for
            if item.product.kind == "subscription"
        ]
        order.purchases.append(purchase)
        self._purchases.append(purchase)
        became_customer, contact.status = contact.status == "lead", "customer"
        if first:
            order.ripe_at = began + self._completion_seconds
            order.closed = order.source != "funnel"
        self._changed(order)
        self._expect_transaction(purchase)
        shown = order.essentials(self._now)
        if became_customer:
            self._expect("customer.created", order, contact=contact.in_short, order=shown)
        for product, previous in conflicts:
            self._expect(
                "product.conflict",
                order,
                contact=contact.in_short,
                order=shown,
                product={"sku": product.sku, "title": product.title, "kind": product.kind},
                previous_order=previous.essentials(self._now),
            )
        if first and order.closed:
            self._expect("order.completed", order, order=shown)

    def approved_at_once(self, first: Order, second: Order) -> None:
        """Both have just been paid by the same lead, at the same time: either made a customer of them (rule 9)."""
        for index, event in enumerate(self.expected):
            if event.type == "customer.created" and event.email == first.contact.email.lower():
                either = OneOf((event.data["order"], second.essentials(self._now)))
                self.expected[index] = replace(event, data={**event.data, "order": either})

    def thank(self, order: Order, answered: Answered) -> Answer:
        """POST /orders/{number}/thank-you"""
        self._now = answered.now
        if order.source != "funnel" or not order.purchases:
            return Answer(409)
        if order.awaits_completion:
            self._expect_completion(order)
            order.closed = True
        return Answer(200, order.essentials(self._now))

    def give_back(self, order: Order, body: Body, answered: Answered) -> Answer:
        """POST /orders/{number}/refunds"""
        self._now = answered.now
        wanted = body.get("transaction")
        found = [purchase for purchase in order.purchases if wanted in (None, purchase.id)]
        if len(found) != 1:
            return Answer(422)
        purchase = found[0]
        amount = Decimal(str(body["amount"])) if "amount" in body else None
        if body["kind"] == "void":
            if purchase.given_back or purchase.voided or amount not in (None, purchase.amount):
                return Answer(422)
            amount = purchase.amount
        elif amount is None or not 0 < amount <= purchase.amount - purchase.given_back:
            return Answer(422)
        may_have_completed = order.awaits_completion and order.may_be_completed(self._now)
        purchase.given_back += amount
        purchase.voided = body["kind"] == "void"
        order.refunded = order.all_given_back
        if order.refunded and may_have_completed:
            self._expect_completion(order, optional=True)
        self._changed(order)
        refund = {
            "kind": body["kind"],
            "amount": money(amount),
            "currency": order.currency,
            "reason": body.get("reason", ""),
        }
        shown, given = order.essentials(self._now), purchase.essentials
        self._expect("refund.applied", order, refund=refund, transaction=given, order=shown)
        return Answer(201, refund)

    def track(self, order: Order, body: Body, answered: Answered) -> Answer:
        """PUT /orders/{number}/tracking"""
        self._now = answered.now
        url = body.get("url")
        tracking = {"carrier": body["carrier"].strip(), "number": body["number"].strip(), "url": url and url.strip()}
        if tracking != order.tracking:
            order.tracking = tracking
            self._changed(order)
            self._expect("shipping.tracking_updated", order, order=order.essentials(self._now))
        return Answer(200, order.essentials(self._now))

    def cancel(self, subscription: Subscription, body: Body, answered: Answered) -> Answer:
        """POST /subscriptions/{id}/cancel"""
        self._now = answered.now
        order = subscription.order
        if subscription.status == "active":
            subscription.status = "canceled"
            subscription.cancel_reason = body.get("reason", ANYTHING)
            self._changed(order)
            self._expect(
                "subscription.canceled",
                order,
                subscription=subscription.essentials,
                contact=order.contact.in_short,
                order=order.essentials(self._now),
            )
        return Answer(200, subscription.essentials)

    def answer_survey(self, slug: str, body: Body, order: Order | None, answered: Answered) -> Answer:
        """POST /surveys/{slug}/responses; `order` is the one that the body names."""
        self._now = answered.now
        if ("email" in body) == ("order" in body):
            return Answer(422)
        email = str(body.get("email", "")).strip()
        contact = order.contact if order else self.contacts.get(email.lower())
        # Whether an order's answers show the e-mail of its contact is not said.
        response = {"email": ANYTHING if order else email, "answers": body["answers"]}
        self.expected.append(
            Event(
                type="survey.completed",
                source=order.source if order else body["source"],
                email=order.contact.email.lower() if order else email.lower(),
                data={
                    "survey": {"slug": slug, "title": self._catalogue.surveys[slug]},
                    "response": response,
                    "contact": contact and contact.in_short,
                    "order": order and order.essentials(self._now),
                },
            )
        )
        return Answer(201, response)

    def end(self) -> None:
        """Nobody calls any more, and the clock has completed what is paid."""
        for order in self.orders:
            if order.awaits_completion:
                self._expect_completion(order)
                order.closed = True

    # What the calls have in common.

    def _items(self, items: list[Body], is_upsell: bool = False, *, paid: bool = False) -> list[Item]:
        products = self._catalogue.products
        return [
            Item(
                product=products[item["sku"]],
                quantity=item["quantity"],
                unit_price=Decimal(str(item.get("unit_price", products[item["sku"]].unit_price))),
                is_upsell=is_upsell,
                paid=paid,
            )
            for item in items
        ]

    def _contact(self, fields: Body, source: str, new_id: str) -> tuple[Contact, bool]:
        """Create or reactivate, and expect the event (rule 11)."""
        email = fields["email"].strip()
        contact = self.contacts.get(email.lower())
        reactivated = contact is not None
        if contact is None:
            contact = self.contacts[email.lower()] = Contact(new_id, email, source)
        for name in ("first_name", "last_name", "phone"):
            if name in fields:
                setattr(contact, name, fields[name])
        for name in ("billing_address", "shipping_address"):
            if name in fields:
                setattr(contact, name, {part: fields[name].get(part, "") for part in ADDRESS})
        contact.tags += [tag for tag in fields.get("tags", []) if tag not in contact.tags]
        data = {"contact": contact.essentials, "reactivated": reactivated}
        self.expected.append(Event("contact.created", source, email.lower(), data))
        return contact, reactivated

    def _conflicts(self, purchase: Transaction) -> Iterator[tuple[Product, Order]]:
        """Each digital product that the contact already holds, with the order opened last that holds it (rule 10)."""
        digital = {item.product for item in purchase.paid_for if item.product.kind == "digital"}
        for product in digital:
            holding = [
                earlier.order
                for earlier in self._purchases
                if earlier.order.contact is purchase.order.contact
                and not earlier.wholly_given_back
                and any(item.product == product for item in earlier.paid_for)
            ]
            if holding:
                yield product, [order for order in self.orders if order in holding][-1]

    def _changed(self, order: Order) -> None:
        """Keeps what the order would look like, should the clock complete it before its next change."""
        if order.awaits_completion:
            if not order.may_be_completed(self._now):
                order.snapshots.clear()
            order.snapshots.append({**order.essentials(self._now), "status": "completed"})

    def _expect_completion(self, order: Order, optional: bool = False) -> None:
        by_clock = order.may_be_completed(self._now)
        shown = OneOf(tuple(order.snapshots)) if by_clock else order.snapshots[-1]
        email = order.contact.email.lower()
        self.expected.append(Event("order.completed", order.source, email, {"order": shown}, optional))

    def _expect(self, event_type: str, order: Order, /, **data: Essentials) -> None:
        self.expected.append(Event(event_type, order.source, order.contact.email.lower(), data))

    def _expect_transaction(self, transaction: Transaction) -> None:
        self._expect(
            f"transaction.{transaction.status}",
            transaction.order,
            transaction=transaction.essentials,
            order=transaction.order.essentials(self._now),
        )
