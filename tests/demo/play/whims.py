"""The bodies of calls, made up by chance."""

import random
from dataclasses import dataclass
from decimal import Decimal

from tests.demo.play.state import Body, Catalogue, Contact, Order, Transaction

KINDS = ("physical", "digital", "subscription")
_LIKELY = {"digital": 4}  # of which a second one is a conflict


@dataclass
class Whims:
    """`identity` tells this person's e-mails and references from those of all others."""

    random: random.Random
    catalogue: Catalogue
    identity: str
    _references: int = 0

    @property
    def stranger(self) -> str:
        return f"stranger.{self.identity}.example.com"

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    def contact(self) -> Body:
        """The person as typed this time; sometimes with the second e-mail."""
        pick = self.random
        email = f"Person.{pick.choices([0, 1], [8, 1])[0]}.{self.identity}.example.com"
        fields: Body = {
            "email": pick.choice([email, email.upper(), f" {email.lower()} "]),
            "first_name": pick.choice(["Ada", "Grace", "Zoë"]),
            "last_name": pick.choice(["Byron", "Hopper", "李"]),
        }
        if self.chance(0.4):
            fields["phone"] = {"country": "US", "number": f"+1202555{pick.randint(1000, 9999)}"}
        if self.chance(0.4):
            fields["tags"] = pick.sample(["vip", "newsletter", "trade"], pick.randint(0, 2))
        for name in ("billing_address", "shipping_address"):
            if self.chance(0.3):
                fields[name] = self._address()
        return fields

    def sender(self) -> Body:
        if self.chance(0.4):
            return {"source": "shop"}
        return {"source": "funnel", "funnel": self.random.choice(self.catalogue.funnels)}

    def refused_contact(self) -> Body:
        good = {**self.contact(), "source": "shop"}
        return self.random.choice(
            [
                {**good, "source": "admin"},
                {**good, "source": "funnel"},
                {**good, "source": "funnel", "funnel": "no-such-funnel"},
                {**good, "funnel": self.catalogue.funnels[0]},
                {**good, "unknown_member": 1},
                {**good, "email": "not an e-mail"},
                {**good, "first_name": "nul\0"},
                {name: value for name, value in good.items() if name != "email"},
            ]
        )

    def order(self, known: list[Contact], items: list[Body], sender: Body) -> Body:
        """For a known contact, or with the fields of one, who may be known too."""
        pick = self.random
        contact = {"id": pick.choice(known).id} if known and self.chance(0.6) else self.contact()
        body = {**sender, "contact": contact, "items": items}
        for name in ("shipping", "tax"):
            if self.chance(0.4):
                body[name] = self.money(Decimal(pick.randint(0, 2000)) / 100)
        if self.chance(0.2):
            body["shipping_address"] = self._address()
        return body

    def refused_order(self, known: list[Contact]) -> Body:
        body = self.order(known, self.items(2), {"source": "shop"})
        first = body["items"][0]
        return self.random.choice(
            [
                {**body, "items": [*body["items"], {"sku": "no-such-product", "quantity": 1}]},
                {**body, "items": []},
                {**body, "items": [{**first, "quantity": 0}]},
                {**body, "items": [{**first, "unit_price": "1.234"}]},
                {**body, "source": "funnel"},
                {**body, "source": "admin"},
                {**body, "funnel": self.catalogue.funnels[0]},
                {**body, "currency": "XXY"},
                {**body, "status": "paid"},
            ]
        )

    def items(self, at_most: int, kinds: tuple[str, ...] = KINDS) -> list[Body]:
        """The same product may come twice. A subscription is one, at its own price."""
        pick = self.random
        offered = [product for product in self.catalogue.products.values() if product.kind in kinds]
        items = []
        likely = [_LIKELY.get(product.kind, 1) for product in offered]
        for product in pick.choices(offered, likely, k=pick.randint(1, at_most)):
            item: Body = {"sku": product.sku, "quantity": 1}
            if product.kind != "subscription":
                item["quantity"] = pick.randint(1, 3)
                if self.chance(0.3):
                    item["unit_price"] = self.money(Decimal(pick.randint(0, 9999)) / 100)
            items.append(item)
        return items

    def purchase(self, order: Order) -> Body:
        """Mostly what is due, approved; an upsell, mostly, where something was paid before."""
        pick = self.random
        self._references += 1
        amount = order.total if self.chance(0.8) else Decimal(pick.randint(1, 9999)) / 100
        if not order.purchases and self.chance(0.08):
            amount = Decimal(0)
        body: Body = {
            "status": "approved" if self.chance(0.7) else "declined",
            "amount": self.money(amount),
            "gateway": pick.choice(["stripe", "paypal"]),
            "reference": f"{self.identity}-{self._references}",
        }
        if body["status"] == "declined" and self.chance(0.7):
            body |= {"decline_code": "insufficient_funds", "decline_message": "The card has\ninsufficient funds."}
        if self.chance(0.7 if order.purchases else 0.1):
            body["is_upsell"] = True
            if self.chance(0.7):
                body["items"] = self.items(2)
        return body

    def purchase_again(self, body: Body) -> Body:
        """As it was, or with another amount or status."""
        change = self.random.choice(["nothing", "nothing", "amount", "status"])
        if change == "amount":
            return {**body, "amount": self.money(Decimal(str(body["amount"])) + Decimal("0.01"))}
        if change == "status":
            plain = {name: value for name, value in body.items() if not name.startswith("decline_")}
            return {**plain, "status": "declined" if body["status"] == "approved" else "approved"}
        return body

    def refund(self, order: Order, declined: list[Transaction]) -> Body:
        """Parts, the rest, too much, nothing; with or without naming the purchase."""
        pick = self.random
        body: Body = {"kind": pick.choice(["refund", "refund", "void"])}
        purchase = pick.choice(order.purchases) if order.purchases else None
        left = purchase.amount - purchase.given_back if purchase else Decimal(5)
        if body["kind"] == "refund":
            part = round(Decimal(pick.randint(0, 100)) * left / 100, 2)
            amount = pick.choice([left, left, part, left + Decimal("0.01"), Decimal(0), None])
        else:
            amount = pick.choice([None, None, left, left + 1])
        if amount is not None:
            body["amount"] = self.money(amount)
        if declined and self.chance(0.1):
            body["transaction"] = pick.choice(declined).id
        elif purchase and self.chance(0.7):
            body["transaction"] = purchase.id
        if self.chance(0.5):
            body["reason"] = "Damaged in transit"
        return body

    def tracking(self) -> Body:
        pick = self.random
        body: Body = {
            "carrier": pick.choice(["UPS", " UPS ", "DHL"]),
            "number": pick.choice(["1Z999", "1Z999 ", "JD0002"]),
        }
        if self.chance(0.3):
            body["url"] = "https://track.example.com/1Z999"
        return body

    def survey(self, orders: list[Order]) -> tuple[Body, Order | None]:
        """The answers to a survey, and the order that they name; now and then both or neither of order and e-mail."""
        pick = self.random
        body: Body = {"source": pick.choice(["shop", "funnel"]), "answers": {"mood": pick.choice(["Good", "Bad"])}}
        order = pick.choice(orders) if orders and self.chance(0.5) else None
        if order:
            body["order"] = order.number
        if self.chance(0.1 if order else 0.9):
            body["email"] = pick.choice([self.contact()["email"], self.stranger])
        return body, order

    def money(self, amount: Decimal) -> str | float:
        """The same amount as a string or as a number."""
        forms: list[str | float] = [str(amount), f"{amount:.2f}", float(amount)]
        return self.random.choice(forms)

    def _address(self) -> Body:
        address = {"line1": f"{self.random.randint(1, 99)} High Street", "city": "Springfield", "country": "US"}
        return {**address, "zip_code": "12345"} if self.chance(0.5) else address
