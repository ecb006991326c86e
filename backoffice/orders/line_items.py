"""Shared by the forms for orders and quotes: a contact, items and prices."""

from collections.abc import Sequence
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse

from backoffice.frame import may
from backoffice.orders.commerce_admin import RecordAdmin
from backoffice.orders.form_fields import add_refusal
from backoffice.orders.order_forms import OrderForm, OrderItemFormSet
from notifications.display import money
from orders.inputs import ItemInput
from orders.models import Contact, Order, Quote


class SellingAdmin(RecordAdmin):
    """Records that staff begin with a contact and lines of items. A subclass says how, and in what words."""

    button: str
    made: str  # what was done to it, after its name and amount

    def has_add_permission(self, request: HttpRequest) -> bool:
        return may(request, f"orders.add_{self.opts.model_name}")

    def make(self, items: Sequence[ItemInput], terms: dict[str, Any]) -> Order | Quote:
        """Make one from what the form says. Raises `ValidationError`."""
        raise NotImplementedError

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
                sold = self.make([row.item() for row in items.filled()], form.terms())
            except ValidationError as refusal:
                add_refusal(form, items.add_refusal(refusal))
            else:
                self.log_addition(request, sold, [{"added": {}}])
                self.message_user(
                    request, f"{sold} of {money(sold.total, sold.currency)} {self.made}", messages.SUCCESS
                )
                return self.to_page_of(request, sold)
        context = {
            "title": f"Add {self.opts.verbose_name}",
            "button": self.button,
            "form": form,
            "items": items,
            "errors": bool(data),
            "media": form.media + items.media,
        }
        return self.own_page(request, "admin/orders/selling.html", context)
