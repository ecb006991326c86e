"""Quotes: made by staff, and sold once."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.views.decorators.http import require_POST
from unfold.decorators import display

from orders import services
from orders.admin.pages import RecordAdmin, may
from orders.errors import Conflict
from orders.forms import OrderForm, OrderItemFormSet, add_refusal
from orders.models import Contact, Quote


@admin.register(Quote)
class QuoteAdmin(RecordAdmin):
    list_display = ("quote", "contact", "shown_status", "amount", "created")
    list_filter = ("status", "created_at")
    list_select_related = ("contact",)
    search_fields = ("contact__email", "contact__first_name", "contact__last_name", "order__number__exact")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return may(request, "orders.add_quote")

    @admin.display(description="Quote", ordering="pk")
    def quote(self, quote: Quote) -> str:
        return str(quote)

    @display(description="Status", ordering="status", label={"Open": "info", "Sold": "success"})
    def shown_status(self, quote: Quote) -> str:
        return quote.get_status_display()

    @admin.display(description="Total", ordering="total")
    def amount(self, quote: Quote) -> str:
        return f"{quote.total} {quote.currency}"

    def get_urls(self) -> list[URLPattern]:
        sell: Callable[..., HttpResponse] = self.admin_site.admin_view(require_POST(self.sell))
        urls: list[URLPattern] = super().get_urls()
        return [path("<path:object_id>/sell/", sell, name="orders_quote_sell"), *urls]

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        data = request.POST if request.method == "POST" else None
        form = OrderForm(data=data, initial={"contact": Contact.objects.filter(pk=request.GET.get("contact")).first()})
        items = OrderItemFormSet(data=data, prefix="items")
        # Both are asked, so that everything that is wrong is marked at once.
        if all([form.is_valid(), items.is_valid()]):
            try:
                quote = services.create_quote(items=[row.item() for row in items.filled()], **form.terms())
            except ValidationError as refusal:
                add_refusal(form, items.add_refusal(refusal))
            else:
                self.log_addition(request, quote, [{"added": {}}])
                self.message_user(request, f"{quote} of {self.amount(quote)} was made.")
                return self.to_page_of(request, quote)
        context = {
            "title": "Add quote",
            "button": "Make quote",
            "form": form,
            "items": items,
            "media": form.media + items.media,
        }
        return self.own_page(request, "admin/orders/order/add.html", context)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        quote = self.named(request, object_id)
        if not self.has_view_permission(request, quote) or request.method == "POST":
            raise PermissionDenied
        if quote is None:
            return self.not_found(request, object_id)
        context = {
            "title": str(quote),
            "original": quote,
            "quote": quote,
            "items": quote.items.select_related("product"),
            "may_sell": self._may_sell(request),
            "sees_order": may(request, "orders.view_order"),
        }
        return self.own_page(request, "admin/orders/quote/page.html", context)

    def sell(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Open the quote's order, and lead there whoever may see it."""
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
        sentence = f"{quote} was sold: it became {order}."
        self.log_change(request, quote, sentence)
        self.message_user(request, sentence, messages.SUCCESS)
        if may(request, "orders.view_order"):
            return HttpResponseRedirect(reverse("admin:orders_order_change", args=[order.pk]))
        return self.to_page_of(request, quote)

    def _may_sell(self, request: HttpRequest) -> bool:
        return may(request, "orders.change_quote") and may(request, "orders.add_order")
