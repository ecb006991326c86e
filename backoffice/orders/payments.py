"""Transactions and refunds: recorded on the page of their order, looked at here."""

from collections.abc import Sequence

from django.contrib import admin
from django.http import HttpRequest
from django.utils.safestring import SafeString

from backoffice.orders.commerce_admin import Fact, RecordAdmin, link_to, status_label
from backoffice.orders.filters import CreatedFilter, Search, equals
from notifications.display import moment, money
from orders.models import Refund, Transaction


@admin.register(Transaction)
class TransactionAdmin(RecordAdmin):
    list_display = ("reference", "gateway", "order", "shown_status", "paid", "created")
    list_filter = (equals("status", "Status", Transaction.Status.choices), CreatedFilter)
    list_select_related = ("order",)
    search = Search(
        "Reference, transaction id, order number, name or e-mail",
        own_id="txn_",
        contact="order__contact__",
        # By the unique index on gateway and reference: PostgreSQL 18 skips from gateway to gateway.
        exactly=lambda term: Transaction.objects.filter(reference=term),
    )
    nothing_yet = "No transaction yet. Shops, funnels and staff record them on an order."

    @admin.display(description="Status")
    def shown_status(self, purchase: Transaction) -> SafeString:
        return status_label(purchase.status, purchase.get_status_display())

    @admin.display(description="Amount")
    def paid(self, purchase: Transaction) -> str:
        return money(purchase.amount, purchase.currency)

    def facts(self, request: HttpRequest, record: Transaction) -> Sequence[Fact]:
        return [
            ("Status", self.shown_status(record)),
            ("Amount", self.paid(record)),
            ("Given back", money(record.refunded_total, record.currency)),
            ("Order", link_to(request, record.order)),
            ("Kind", f"{record.get_kind_display()}{', an upsell' if record.is_upsell else ''}"),
            ("Gateway", record.gateway),
            ("Reference", record.reference),
            ("Decline code", record.decline_code or "–"),
            ("Decline message", record.decline_message or "–"),
            ("Recorded", moment(record.created_at)),
            ("Id", record.pk),
        ]


@admin.register(Refund)
class RefundAdmin(RecordAdmin):
    list_display = ("name", "order", "kind_label", "given_back", "created")
    list_filter = (equals("kind", "Kind", Refund.Kind.choices), CreatedFilter)
    list_select_related = ("order",)
    search = Search("Refund id, order number, name or e-mail", own_id="ref_", contact="order__contact__")
    nothing_yet = "Nothing was given back yet. Refund or void a purchase on the page of its order."

    @admin.display(description="Refund")
    def name(self, refund: Refund) -> str:
        return refund.pk

    @admin.display(description="Kind")
    def kind_label(self, refund: Refund) -> str:
        return refund.get_kind_display()

    @admin.display(description="Amount")
    def given_back(self, refund: Refund) -> str:
        return money(refund.amount, refund.currency)

    def facts(self, request: HttpRequest, record: Refund) -> Sequence[Fact]:
        return [
            ("Kind", self.kind_label(record)),
            ("Amount", self.given_back(record)),
            ("Order", link_to(request, record.order)),
            ("Of the purchase", link_to(request, record.transaction)),
            ("Reason", record.reason or "–"),
            ("Applied", moment(record.created_at)),
            ("Id", record.pk),
        ]
