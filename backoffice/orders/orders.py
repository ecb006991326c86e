"""Orders: opened by staff, looked at, and acted upon."""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern
from django.utils.safestring import SafeString
from django.views.decorators.http import require_GET, require_POST

from backoffice.frame import done, may
from backoffice.orders.commerce_admin import status_label
from backoffice.orders.filters import CreatedFilter, PostbacksFilter, Search, equals
from backoffice.orders.order_actions import Actions, OrderActions, tracking_facts
from backoffice.orders.postbacks import (
    OCCURRENCES_SHOWN,
    POSTBACKS_SHOWN,
    answer_at_a_glance,
    occurrences_of,
    postback_of,
    postbacks_of,
    retry_failed,
    retry_one,
    tally_of,
)
from notifications.display import money
from orders import services
from orders.inputs import ItemInput
from orders.models import Order, Source


@admin.register(Order)
class OrderAdmin(OrderActions):
    list_display = ("number", "contact", "shown_status", "source_label", "amount", "created")
    list_filter = (
        equals("status", "Status", Order.Status.choices),
        equals("source", "Source", Source.choices),
        CreatedFilter,
        PostbacksFilter,
    )
    list_select_related = ("contact",)
    search = Search("Order number, name, e-mail or contact id", order="number")
    actions = ("retry_failed_postbacks",)
    nothing_yet = "No order yet. Shops and funnels send them through the API; staff add them here."
    button = "Open order"
    made = "was opened. Record a payment once it is paid."

    def has_retry_permission(self, request: HttpRequest) -> bool:
        return may(request, "notifications.change_delivery")

    @admin.display(description="Status")
    def shown_status(self, order: Order) -> SafeString:
        return status_label(order.status, order.get_status_display())

    @admin.display(description="Source")
    def source_label(self, order: Order) -> str:
        return order.get_source_display()

    @admin.display(description="Total")
    def amount(self, order: Order) -> str:
        return money(order.total, order.currency)

    @admin.action(description="Retry failed postbacks", permissions=["retry"])
    def retry_failed_postbacks(self, request: HttpRequest, queryset: QuerySet[Order]) -> None:
        retried, refused = retry_failed(queryset, by=request.user.get_username())
        if retried:
            they = "It is" if retried == 1 else "They are"
            self.message_user(request, f"Retried: {retried}. {they} being sent.", messages.SUCCESS)
        for reason, count in refused.items():
            self.message_user(request, f"Refused: {count}. {reason}", messages.WARNING)
        if not retried and not refused:
            self.message_user(
                request, "The selected orders have no failed postback that can be retried.", messages.INFO
            )

    def get_urls(self) -> list[URLPattern]:
        own = [
            self.url("postbacks/<slug:delivery_id>", require_GET(self.postback), "postback"),
            self.url("postbacks/<slug:delivery_id>/retry", require_POST(self.retry), "retry"),
        ]
        return [*own, *super().get_urls()]

    def make(self, items: Sequence[ItemInput], terms: dict[str, Any]) -> Order:
        return services.create_order(source=Source.ADMIN, items=items, **terms)

    def page_of(self, request: HttpRequest, record: Order) -> HttpResponse:
        order = services.get_order(number=record.number)
        transactions = list(order.transactions.prefetch_related("refunds"))
        context = {
            "title": str(order),
            "order": order,
            "transactions": transactions,
            "refunds": order.refunds.select_related("transaction"),
            "actions": Actions(order, transactions),
            "may_change": may(request, "orders.change_order"),
            "tracking_facts": tracking_facts(order),
        }
        if may(request, "notifications.view_delivery"):
            context |= self._postbacks(request, order)
        return self.own_page(request, "admin/orders/order/page.html", context)

    def _postbacks(self, request: HttpRequest, order: Order) -> dict[str, Any]:
        tally, occurrences = tally_of(order), occurrences_of(order)
        return {
            "sees_postbacks": True,
            "postbacks": postbacks_of(order),
            "more_postbacks": tally.total > POSTBACKS_SHOWN,
            "occurrences": occurrences,
            "more_occurrences": len(occurrences) == OCCURRENCES_SHOWN,
            "at_a_glance": answer_at_a_glance(order, tally, occurrences),
            "may_retry": may(request, "notifications.change_delivery"),
        }

    # Fragments of the page: one delivery.

    def postback(self, request: HttpRequest, object_id: str, delivery_id: str) -> HttpResponse:
        """One row as it stands now, for the poller; once settled, with the sentence to announce."""
        order = self.order(request, object_id, "notifications.view_delivery")
        return self._row(request, order, delivery_id, retried=False)

    def retry(self, request: HttpRequest, object_id: str, delivery_id: str) -> HttpResponse:
        """Send a failed delivery again. htmx gets the row and what is said, a browser alone the page."""
        order = self.order(request, object_id, "notifications.change_delivery")
        level, sentence = retry_one(order, delivery_id, by=request.user.get_username())
        self.message_user(request, sentence, level)
        if request.headers.get("HX-Request") and may(request, "notifications.view_delivery"):
            row = self._row(request, order, delivery_id, retried=True)
            return done(row) if level == messages.SUCCESS else row
        return self.to_page_of(request, order, fragment="postbacks")

    def _row(self, request: HttpRequest, order: Order, delivery_id: str, *, retried: bool) -> HttpResponse:
        postback = postback_of(order, delivery_id)
        settled = postback.settled and not retried
        context = {
            "order": order,
            "postback": postback,
            "may_retry": may(request, "notifications.change_delivery"),
            "retried": retried,
            "announcement": postback.announcement if settled else "",
            "tally": tally_of(order).sentence if settled or retried else "",
        }
        return TemplateResponse(request, "admin/orders/order/postback.html", context)
