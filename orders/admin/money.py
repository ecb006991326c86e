"""Transactions and refunds: recorded on the page of their order, looked at here."""

from django.contrib import admin

from orders.admin.pages import RecordAdmin
from orders.models import Refund, Transaction


@admin.register(Transaction)
class TransactionAdmin(RecordAdmin):
    list_display = ("id", "order", "status", "paid", "gateway", "reference", "created")
    list_filter = ("status", "is_upsell", "created_at")
    list_select_related = ("order",)
    search_fields = ("id__exact", "order__number__exact", "reference", "order__contact__email")
    fields = readonly_fields = (
        *("id", "order", "kind", "status", "amount", "refunded_total", "currency", "gateway", "reference"),
        *("is_upsell", "decline_code", "decline_message", "created_at"),
    )

    @admin.display(description="Amount", ordering="amount")
    def paid(self, purchase: Transaction) -> str:
        return f"{purchase.amount} {purchase.currency}"


@admin.register(Refund)
class RefundAdmin(RecordAdmin):
    list_display = ("id", "order", "kind", "given_back", "created")
    list_filter = ("kind", "created_at")
    list_select_related = ("order",)
    search_fields = ("id__exact", "order__number__exact", "transaction__reference", "order__contact__email")
    fields = readonly_fields = ("id", "order", "transaction", "kind", "amount", "currency", "reason", "created_at")

    @admin.display(description="Amount", ordering="amount")
    def given_back(self, refund: Refund) -> str:
        return f"{refund.amount} {refund.currency}"
