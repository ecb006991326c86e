"""Subscriptions: started by a purchase, canceled here or by a shop."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, path
from unfold.decorators import display

from orders import services
from orders.admin.pages import RecordAdmin, may, shown_time
from orders.forms import CancelForm
from orders.models import Subscription


@admin.register(Subscription)
class SubscriptionAdmin(RecordAdmin):
    list_display = ("title", "contact", "shown_status", "price", "source", "started")
    list_filter = ("status", "interval", "source", "started_at")
    list_select_related = ("contact", "item")
    search_fields = ("id__exact", "order__number__exact", "contact__email", "item__sku__exact")

    @admin.display(description="Subscription", ordering="item__title")
    def title(self, subscription: Subscription) -> str:
        return subscription.item.title

    @display(description="Status", ordering="status", label={"Active": "success", "Canceled": "danger"})
    def shown_status(self, subscription: Subscription) -> str:
        return subscription.get_status_display()

    @admin.display(description="Price", ordering="amount")
    def price(self, subscription: Subscription) -> str:
        interval = subscription.get_interval_display().lower()
        return f"{subscription.amount} {subscription.currency} a {interval}"

    @admin.display(description="Started", ordering="started_at")
    def started(self, subscription: Subscription) -> str:
        return shown_time(subscription.started_at)

    def get_urls(self) -> list[URLPattern]:
        cancel: Callable[..., HttpResponse] = self.admin_site.admin_view(self.cancel)
        urls: list[URLPattern] = super().get_urls()
        return [path("<path:object_id>/cancel/", cancel, name="orders_subscription_cancel"), *urls]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        subscription = self.named(request, object_id)
        if not self.has_view_permission(request, subscription) or request.method == "POST":
            raise PermissionDenied
        if subscription is None:
            return self.not_found(request, object_id)
        context = {
            **self._context(subscription),
            "title": str(subscription),
            "may_cancel": may(request, "orders.change_subscription"),
            "sees_order": may(request, "orders.view_order"),
            "sees_contact": may(request, "orders.view_contact"),
        }
        return self.own_page(request, "admin/orders/subscription/page.html", context)

    def cancel(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask first (GET), then cancel (POST)."""
        if not self.has_view_permission(request) or not may(request, "orders.change_subscription"):
            raise PermissionDenied
        subscription: Subscription | None = self.named(request, object_id)
        if subscription is None:
            raise Http404("There is no such subscription.")
        if subscription.status == Subscription.Status.CANCELED:
            self.message_user(request, "The subscription is canceled already. Nothing was changed.", messages.INFO)
            return self.to_page_of(request, subscription)
        form = CancelForm(data=request.POST if request.method == "POST" else None)
        if form.is_valid():
            services.cancel_subscription(subscription_id=subscription.pk, reason=form.cleaned_data["reason"])
            sentence = f"{subscription} was canceled."
            self.log_change(request, subscription, sentence)
            self.message_user(request, sentence, messages.SUCCESS)
            return self.to_page_of(request, subscription)
        context = {**self._context(subscription), "title": "Cancel subscription", "form": form, "media": form.media}
        return self.own_page(request, "admin/orders/subscription/cancel.html", context)

    def _context(self, subscription: Subscription) -> dict[str, Any]:
        return {"original": subscription, "subscription": subscription, "price": self.price(subscription)}
