"""The actions of staff on an order: which its state allows, and a view for each."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.transaction import atomic
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.views.decorators.http import require_http_methods, require_POST

from backoffice.frame import may
from backoffice.orders.form_fields import add_refusal
from backoffice.orders.line_items import SellingAdmin
from backoffice.orders.order_forms import PaymentForm, RefundForm, TrackingForm, left_of
from backoffice.orders.postbacks import newest_postback, notified
from backoffice.stale_forms import careful
from backoffice.stale_pages import Change, Facts, in_a_sentence
from notifications.display import money
from orders import services
from orders.errors import Conflict
from orders.models import Order, Refund, Transaction
from orders.services.lookups import lock_order


@dataclass(frozen=True)
class Actions:
    """The actions that the state of an order allows, and why not the rest."""

    order: Order
    transactions: list[Transaction]

    @property
    def no_payment_because(self) -> str | None:
        refunded = self.order.status == Order.Status.REFUNDED
        return "The order is refunded and takes no more purchases." if refunded else None

    @property
    def refundable(self) -> list[Transaction]:
        """The approved purchases of which something can be given back; one of 0.00 can be voided once."""
        return [
            purchase
            for purchase in self.transactions
            if purchase.status == Transaction.Status.APPROVED and (left_of(purchase) > 0 or self._voidable(purchase))
        ]

    @property
    def refund_kinds(self) -> list[Refund.Kind]:
        possible = {
            Refund.Kind.REFUND: any(left_of(purchase) > 0 for purchase in self.refundable),
            Refund.Kind.VOID: any(self._voidable(purchase) for purchase in self.refundable),
        }
        return [kind for kind, is_possible in possible.items() if is_possible]

    @property
    def no_refund_because(self) -> str | None:
        if self.refundable:
            return None
        if self.order.status == Order.Status.OPEN:
            return "There is no approved purchase yet."
        return "Everything that was paid has been given back."

    @property
    def no_thank_you_because(self) -> str | None:
        return {
            Order.Status.OPEN: "There is no approved purchase yet.",
            Order.Status.COMPLETED: "The order is completed.",
            Order.Status.REFUNDED: "The order is refunded.",
        }.get(Order.Status(self.order.status))

    @staticmethod
    def _voidable(purchase: Transaction) -> bool:
        return not purchase.refunds.all()  # prefetched


GIVEN_BACK_MEANWHILE = (
    "Something of this order was given back since the page was opened. Nothing was recorded now: "
    "look at what is left, and send the form again if it is still right."
)
NOTHING_CHANGED = "The tracking was like this already. Nothing was changed."
View = Callable[..., HttpResponse]


class OrderActions(SellingAdmin):
    """The actions of an order's page, each for those who may change orders."""

    def get_urls(self) -> list[URLPattern]:
        ask, do = require_http_methods(["GET", "POST"]), require_POST
        own = [
            self.url("record-payment", ask(self.record_payment), "record_payment"),
            self.url("refund", ask(self.refund), "refund"),
            self.url("thank-you", do(self.reach_thank_you), "reach_thank_you"),
            self.url("tracking", ask(self.set_tracking), "set_tracking"),
            self.url("tracking/clear", do(self.clear_tracking), "clear_tracking"),
        ]
        urls: list[URLPattern] = super().get_urls()
        return [*own, *urls]

    def url(self, route: str, view: View, name: str) -> URLPattern:
        """`route` below the address of an order."""
        checked: View = self.admin_site.admin_view(view)
        return path(f"<path:object_id>/{route}/", checked, name=f"orders_order_{name}")

    @method_decorator(atomic)
    def record_payment(self, request: HttpRequest, object_id: str) -> HttpResponse:
        order = self.order(request, object_id, "orders.change_order")
        refused = Actions(order, []).no_payment_because
        if refused and request.method == "GET":
            return self._refused(request, order, refused)
        order = _as_it_is_now(request, order)
        form = PaymentForm(order=order, data=_data(request))
        facts = _payment_facts(order)
        meanwhile: list[Change] = []
        if form.is_valid() and not _recorded_already(form):
            meanwhile = facts.changes(request.POST)
        if form.is_valid() and not meanwhile:
            newest = newest_postback(order)
            try:
                purchase, new = services.record_transaction(number=order.number, **form.purchase())
            except (ValidationError, Conflict) as refusal:
                add_refusal(form, refusal)
            else:
                sentence = _payment_recorded(purchase) if new else "This payment was recorded already."
                return self._done(request, order, sentence, newest)
        if form.is_bound:
            form.renew_reference()
        return self._ask(
            request,
            order,
            form,
            title="Record payment",
            lead=f"A purchase of {order} as it was approved or declined elsewhere. No money is moved.",
            button="Record payment",
            facts=facts,
            meanwhile=meanwhile,
        )

    def refund(self, request: HttpRequest, object_id: str) -> HttpResponse:
        order = self.order(request, object_id, "orders.change_order")
        actions = Actions(order, list(order.transactions.prefetch_related("refunds")))
        if request.method == "GET" and actions.no_refund_because:
            return self._refused(request, order, actions.no_refund_because)
        form = RefundForm(order=order, purchases=actions.refundable, kinds=actions.refund_kinds)
        if request.method == "POST":
            # Whatever was approved: why something cannot be given back any more is for the service to say.
            form = RefundForm(order=order, purchases=_approved(order), data=request.POST)
        if form.is_valid():
            newest = newest_postback(order)
            try:
                refund = _refund(order, form.cleaned_data)
            except (ValidationError, Conflict) as refusal:
                add_refusal(form, refusal)
            else:
                return self._done(request, order, _refund_applied(refund), newest)
        if form.is_bound:
            order = services.get_order(number=order.number)
            left = Actions(order, list(order.transactions.prefetch_related("refunds")))
            if left.no_refund_because:
                return self._refused(request, order, left.no_refund_because)
            form.follow(order)
        return self._ask(
            request,
            order,
            form,
            title="Refund or void",
            lead=f"Records that money of {order} was given back, and tells the channels. This cannot be undone.",
            button="Give back",
            destroys=True,
        )

    def reach_thank_you(self, request: HttpRequest, object_id: str) -> HttpResponse:
        order = self.order(request, object_id, "orders.change_order")
        newest = newest_postback(order)
        try:
            reached = services.reach_thank_you(number=order.number)
        except Conflict as refusal:
            return self._refused(request, order, str(refusal))
        if reached.completed_at == order.completed_at:
            status = reached.get_status_display().lower()
            return self._refused(request, order, f"{order} was {status} already. Nothing was changed.", messages.INFO)
        return self._done(request, order, f"Thank-you page reached. {order} is completed.", newest)

    @method_decorator(atomic)
    def set_tracking(self, request: HttpRequest, object_id: str) -> HttpResponse:
        order = _as_it_is_now(request, self.order(request, object_id, "orders.change_order"))
        form = careful(TrackingForm)(order=order, about=order.number, data=_data(request))
        if not form.is_valid():
            lead = f"Where the parcel of {order} is. The channels are told of each change."
            return self._ask(request, order, form, title="Set tracking", lead=lead, button="Save tracking")
        newest = newest_postback(order)
        tracked = services.set_tracking(number=order.number, tracking=form.tracking())
        if tracked.tracking == order.tracking:
            return self._refused(request, order, NOTHING_CHANGED, messages.INFO)
        set_to = f"{form.cleaned_data['carrier']} {form.cleaned_data['number']}"
        return self._done(request, order, f"Tracking of {order} was set to {set_to}.", newest)

    @method_decorator(atomic)
    def clear_tracking(self, request: HttpRequest, object_id: str) -> HttpResponse:
        order = _as_it_is_now(request, self.order(request, object_id, "orders.change_order"))
        if order.tracking and (meanwhile := tracking_facts(order).changes(request.POST)):
            return self._refused(request, order, in_a_sentence(meanwhile))
        newest = newest_postback(order)
        if services.clear_tracking(number=order.number).tracking == order.tracking:
            return self._refused(request, order, NOTHING_CHANGED, messages.INFO)
        return self._done(request, order, f"Tracking of {order} was cleared.", newest)

    def order(self, request: HttpRequest, object_id: str, permission: str) -> Order:
        """The order of an action; raises `PermissionDenied`, `Http404`."""
        if not self.has_view_permission(request) or not may(request, permission):
            raise PermissionDenied
        order: Order | None = self.named(request, object_id)
        if order is None:
            raise Http404("There is no such order.")
        return order

    def _ask(self, request: HttpRequest, order: Order, form: forms.Form, *, title: str, **words: Any) -> HttpResponse:
        """The page of an action, which the order's page shows in a dialog."""
        back = reverse("admin:orders_order_change", args=[order.pk])
        context = {"title": title, "above": order, "form": form, "media": form.media, "back": back, **words}
        return self.own_page(request, "admin/orders/ask.html", context)

    def _done(self, request: HttpRequest, order: Order, sentence: str, newest: str) -> HttpResponse:
        self.log_change(request, order, sentence)
        self.message_user(request, sentence + notified(order, after=newest), messages.SUCCESS)
        return self.to_page_of(request, order)

    def _refused(self, request: HttpRequest, order: Order, sentence: str, level: int = messages.ERROR) -> HttpResponse:
        self.message_user(request, sentence, level)
        return self.to_page_of(request, order)


def tracking_facts(order: Order) -> Facts:
    """The facts of the tracking that the order's page shows beside the button to clear it."""
    tracking = order.tracking or {}
    shown = " ".join(tracking[name] or "" for name in ("carrier", "number", "url") if name in tracking)
    return Facts(f"tracking {order.number}", {"The tracking": shown.strip()})


def _payment_facts(order: Order) -> Facts:
    """The facts of an order that the form for a payment shows and compares."""
    return Facts(
        f"payment {order.number}",
        {
            "The total": money(order.total, order.currency),
            "What is paid": money(order.paid_total, order.currency),
            "What is given back": money(order.refunded_total, order.currency),
            "The number of payments": order.transactions.count(),
        },
    )


def _recorded_already(form: PaymentForm) -> bool:
    """The same form was sent before: the service answers that."""
    purchase = form.purchase()
    return Transaction.objects.filter(gateway=purchase["gateway"], reference=purchase["reference"]).exists()


def _as_it_is_now(request: HttpRequest, order: Order) -> Order:
    """The order, locked where a form was sent, so that what is compared is what is changed."""
    return lock_order(number=order.number) if request.method == "POST" else order


def _data(request: HttpRequest) -> Any:
    return request.POST if request.method == "POST" else None


def _refund(order: Order, values: dict[str, Any]) -> Refund:
    with atomic():
        now = Order.objects.select_for_update(no_key=True).get(pk=order.pk)
        if now.refunded_total != values["refunded_total"]:
            raise Conflict(GIVEN_BACK_MEANWHILE)
        return services.apply_refund(
            number=order.number,
            kind=values["kind"],
            amount=values["amount"],
            reason=values["reason"],
            transaction=values["transaction"],
        )


def _approved(order: Order) -> list[Transaction]:
    return list(order.transactions.filter(status=Transaction.Status.APPROVED))


def _payment_recorded(purchase: Transaction) -> str:
    order, amount = purchase.order, money(purchase.amount, purchase.currency)
    declined = "Declined payment" if purchase.status == Transaction.Status.DECLINED else "Payment"
    return f"{declined} of {amount} recorded. {order} is {order.get_status_display().lower()}."


def _refund_applied(refund: Refund) -> str:
    order, amount = refund.order, money(refund.amount, refund.currency)
    return f"{refund.get_kind_display()} of {amount} applied. {order} is {order.get_status_display().lower()}."
