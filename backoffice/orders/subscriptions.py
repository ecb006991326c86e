"""Subscriptions: started by a purchase, canceled here or by a shop."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils.safestring import SafeString

from backoffice.frame import may
from backoffice.orders.commerce_admin import RecordAdmin, link_to, status_label
from backoffice.orders.filters import Search, equals
from backoffice.orders.order_forms import CancelForm
from backoffice.orders.postbacks import newest_postback, notified
from notifications.display import ago, money
from orders import services
from orders.models import Product, Source, Subscription


@admin.register(Subscription)
class SubscriptionAdmin(RecordAdmin):
    list_display = ("product_title", "contact", "shown_status", "price", "source_label", "started")
    list_filter = (
        equals("status", "Status", Subscription.Status.choices),
        equals("interval", "Interval", Product.Interval.choices),
        equals("source", "Source", Source.choices),
    )
    list_select_related = ("contact", "item")
    search = Search("Subscription id, order number, name or e-mail", own_id="sub_")
    nothing_yet = "No subscription yet. One starts when a purchase pays for a product of the kind subscription."

    @admin.display(description="Subscription")
    def product_title(self, subscription: Subscription) -> str:
        return subscription.item.title

    @admin.display(description="Status")
    def shown_status(self, subscription: Subscription) -> SafeString:
        return status_label(subscription.status, subscription.get_status_display())

    @admin.display(description="Price")
    def price(self, subscription: Subscription) -> str:
        interval = subscription.get_interval_display().lower()
        return f"{money(subscription.amount, subscription.currency)} a {interval}"

    @admin.display(description="Source")
    def source_label(self, subscription: Subscription) -> str:
        return subscription.get_source_display()

    @admin.display(description="Started")
    def started(self, subscription: Subscription) -> SafeString:
        return ago(subscription.started_at)

    def get_urls(self) -> list[URLPattern]:
        cancel: Callable[..., HttpResponse] = self.admin_site.admin_view(self.cancel)
        urls: list[URLPattern] = super().get_urls()
        return [path("<path:object_id>/cancel/", cancel, name="orders_subscription_cancel"), *urls]

    def page_of(self, request: HttpRequest, record: Subscription) -> HttpResponse:
        context = {
            "title": str(record),
            "subscription": record,
            "price": self.price(record),
            "contact": link_to(request, record.contact),
            "order": link_to(request, record.order),
            "may_cancel": may(request, "orders.change_subscription"),
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
            newest = newest_postback(subscription.order)
            services.cancel_subscription(subscription_id=subscription.pk, reason=form.cleaned_data["reason"])
            sentence = f"{subscription}, {self.price(subscription)}, was canceled."
            self.log_change(request, subscription, sentence)
            told = notified(subscription.order, after=newest)
            self.message_user(request, sentence + told, messages.SUCCESS)
            return self.to_page_of(request, subscription)
        context: dict[str, Any] = {
            "title": "Cancel subscription",
            "above": subscription,
            "form": form,
            "media": form.media,
            "lead": f"{subscription}, {self.price(subscription)}, ends now. This cannot be undone.",
            "button": "Cancel subscription",
            "keep": "Keep it",
            "destroys": True,
            "back": reverse("admin:orders_subscription_change", args=[subscription.pk]),
        }
        return self.own_page(request, "admin/orders/ask.html", context)
