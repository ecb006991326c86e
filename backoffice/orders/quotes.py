"""Quotes: made by staff, and sold once."""

from collections.abc import Callable, Sequence
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST

from backoffice.frame import may
from backoffice.orders.commerce_admin import link_to, status_label
from backoffice.orders.filters import CreatedFilter, Search, equals
from backoffice.orders.line_items import SellingAdmin
from notifications.display import money
from orders import services
from orders.errors import Conflict
from orders.inputs import ItemInput
from orders.models import Quote


@admin.register(Quote)
class QuoteAdmin(SellingAdmin):
    list_display = ("quote", "contact", "shown_status", "amount", "created")
    list_filter = (equals("status", "Status", Quote.Status.choices), CreatedFilter)
    list_select_related = ("contact",)
    search = Search("Quote or order number, name, e-mail or contact id", quote="pk")
    nothing_yet = "No quote yet. Make one to offer a contact items at prices that stay as they are."
    button = "Make quote"
    made = "was made. Sell it once the contact agrees."

    @admin.display(description="Quote")
    def quote(self, quote: Quote) -> str:
        return str(quote)

    @admin.display(description="Status")
    def shown_status(self, quote: Quote) -> SafeString:
        return status_label(quote.status, quote.get_status_display())

    @admin.display(description="Total")
    def amount(self, quote: Quote) -> str:
        return money(quote.total, quote.currency)

    def get_urls(self) -> list[URLPattern]:
        sell: Callable[..., HttpResponse] = self.admin_site.admin_view(require_POST(self.sell))
        urls: list[URLPattern] = super().get_urls()
        return [path("<path:object_id>/sell/", sell, name="orders_quote_sell"), *urls]

    def make(self, items: Sequence[ItemInput], terms: dict[str, Any]) -> Quote:
        return services.create_quote(items=items, **terms)

    def page_of(self, request: HttpRequest, record: Quote) -> HttpResponse:
        context = {
            "title": str(record),
            "quote": record,
            "items": record.items.select_related("product"),
            "contact": link_to(request, record.contact),
            "order": record.order and link_to(request, record.order),
            "may_sell": self._may_sell(request),
        }
        return self.own_page(request, "admin/orders/quote/page.html", context)

    def sell(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Open the quote's order, and redirect to it a user who may see it."""
        if not self.has_view_permission(request) or not self._may_sell(request):
            raise PermissionDenied
        quote: Quote | None = self.named(request, object_id)
        if quote is None:
            raise Http404("There is no such quote.")
        try:
            order = services.sell_quote(quote_id=quote.pk)
        except Conflict as refusal:
            self.message_user(request, str(refusal), messages.ERROR)
            return self.to_page_of(request, quote)
        sentence = f"{quote} was sold: it became {order} of {money(order.total, order.currency)}."
        self.log_change(request, quote, sentence)
        self.message_user(request, sentence, messages.SUCCESS)
        if may(request, "orders.view_order"):
            return HttpResponseRedirect(reverse("admin:orders_order_change", args=[order.pk]))
        return self.to_page_of(request, quote)

    def _may_sell(self, request: HttpRequest) -> bool:
        return may(request, "orders.change_quote") and may(request, "orders.add_order")
