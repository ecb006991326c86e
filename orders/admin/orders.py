"""Orders: opened by staff, looked at, and acted upon. Every action is a POST to a URL of its own."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import QuerySet
from django.db.transaction import atomic
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.views.decorators.http import require_POST
from unfold.decorators import display

from orders import services
from orders.admin.allowed import Actions
from orders.admin.pages import RecordAdmin, may
from orders.admin.postbacks import postbacks_of, retry_failed, retry_one
from orders.errors import Conflict
from orders.forms import OrderForm, OrderItemFormSet, PaymentForm, RefundForm, TrackingForm, add_refusal
from orders.models import Contact, Order, Refund, Source, Transaction

NOTHING_RECORDED = "Nothing was recorded. Correct what is marked below."
GIVEN_BACK_MEANWHILE = (
    "Something of this order was given back since the page was opened. Nothing was recorded now: "
    "look at what is left, and send the form again if it is still right."
)
STATUS_LABELS = {"Open": "info", "Paid": "warning", "Completed": "success", "Refunded": "danger"}


@admin.register(Order)
class OrderAdmin(RecordAdmin):
    list_display = ("number", "contact", "shown_status", "source", "amount", "created")
    list_filter = ("status", "source", "created_at")
    list_select_related = ("contact",)
    search_fields = ("number__exact", "contact__email", "contact__first_name", "contact__last_name")
    actions = ("retry_failed_postbacks",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return may(request, "orders.add_order")

    def has_retry_permission(self, request: HttpRequest) -> bool:
        return may(request, "notifications.change_delivery")

    @display(description="Status", ordering="status", label=STATUS_LABELS)
    def shown_status(self, order: Order) -> str:
        return order.get_status_display()

    @admin.display(description="Total", ordering="total")
    def amount(self, order: Order) -> str:
        return f"{order.total} {order.currency}"

    @admin.action(description="Retry failed postbacks", permissions=["retry"])
    def retry_failed_postbacks(self, request: HttpRequest, queryset: QuerySet[Order]) -> None:
        retried, refused = retry_failed(queryset, by=request.user.get_username())
        if retried:
            self.message_user(request, f"Retried: {retried}. They are being sent.", messages.SUCCESS)
        for reason, count in refused.items():
            self.message_user(request, f"Refused: {count}. {reason}", messages.WARNING)
        if not retried and not refused:
            self.message_user(
                request, "The selected orders have no failed postback that can be retried.", messages.INFO
            )

    def get_urls(self) -> list[URLPattern]:
        def act(route: str, view: Callable[..., HttpResponse], name: str) -> URLPattern:
            checked: Callable[..., HttpResponse] = self.admin_site.admin_view(require_POST(view))
            return path(f"<path:object_id>/{route}/", checked, name=f"orders_order_{name}")

        own = [
            act("record-payment", self.record_payment, "record_payment"),
            act("refund", self.refund, "refund"),
            act("thank-you", self.reach_thank_you, "reach_thank_you"),
            act("tracking", self.set_tracking, "set_tracking"),
            act("tracking/clear", self.clear_tracking, "clear_tracking"),
            act("postbacks/<slug:delivery_id>/retry", self.retry, "retry"),
        ]
        urls: list[URLPattern] = super().get_urls()
        return [*own, *urls]

    # Pages.

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
                order = services.create_order(
                    source=Source.ADMIN, items=[row.item() for row in items.filled()], **form.terms()
                )
            except ValidationError as refusal:
                add_refusal(form, items.add_refusal(refusal))
            else:
                self.log_addition(request, order, [{"added": {}}])
                self.message_user(request, f"{order} of {_money(order.total, order)} was opened.")
                return self.to_page_of(request, order)
        context = {
            "title": "Add order",
            "button": "Open order",
            "form": form,
            "items": items,
            "media": form.media + items.media,
        }
        return self.own_page(request, "admin/orders/order/add.html", context)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        order = self.named(request, object_id)
        if not self.has_view_permission(request, order) or request.method == "POST":
            raise PermissionDenied
        if order is None:
            return self.not_found(request, object_id)
        return self._page(request, order)

    def _page(
        self,
        request: HttpRequest,
        order: Order,
        payment: PaymentForm | None = None,
        refund: RefundForm | None = None,
        tracking: TrackingForm | None = None,
    ) -> HttpResponse:
        """The order as it stands, with the forms that its state allows: those given, as they were filled in."""
        order = services.get_order(number=order.number)
        transactions = list(order.transactions.prefetch_related("refunds"))
        actions = Actions(order, transactions)
        context = {
            "title": str(order),
            "original": order,
            "order": order,
            "transactions": transactions,
            "refunds": order.refunds.select_related("transaction"),
            "actions": actions,
            "may_change": may(request, "orders.change_order"),
            "payment": payment or PaymentForm(order=order),
            "refund": refund or RefundForm(order=order, purchases=actions.refundable, kinds=actions.refund_kinds),
            "tracking": tracking or TrackingForm(order=order),
            "sees_postbacks": may(request, "notifications.view_delivery"),
            "may_retry": may(request, "notifications.change_delivery"),
        }
        if context["sees_postbacks"]:
            context["postbacks"] = postbacks_of(order)
        return self.own_page(request, "admin/orders/order/page.html", context)

    # Actions.

    def record_payment(self, request: HttpRequest, object_id: str) -> HttpResponse:
        order = self._order(request, object_id, "orders.change_order")
        form = PaymentForm(order=order, data=request.POST)
        if form.is_valid():
            try:
                purchase, new = services.record_transaction(number=order.number, **form.purchase())
            except (ValidationError, Conflict) as refusal:
                add_refusal(form, refusal)
            else:
                self._say(request, order, _payment_recorded(purchase) if new else "This payment was recorded already.")
                return self.to_page_of(request, order)
        form.renew_reference()
        self._say_why_not(request, form)
        return self._page(request, order, payment=form)

    def refund(self, request: HttpRequest, object_id: str) -> HttpResponse:
        order = self._order(request, object_id, "orders.change_order")
        form = RefundForm(order=order, purchases=_approved(order), data=request.POST)
        if form.is_valid():
            try:
                refund = _refund(order, form.cleaned_data)
            except (ValidationError, Conflict) as refusal:
                add_refusal(form, refusal)
            else:
                self._say(request, order, _refund_applied(refund))
                return self.to_page_of(request, order)
        self._say_why_not(request, form)
        form.follow(services.get_order(number=order.number))
        return self._page(request, order, refund=form)

    def reach_thank_you(self, request: HttpRequest, object_id: str) -> HttpResponse:
        order = self._order(request, object_id, "orders.change_order")
        try:
            reached = services.reach_thank_you(number=order.number)
        except Conflict as refusal:
            self.message_user(request, str(refusal), messages.ERROR)
        else:
            if reached.completed_at == order.completed_at:
                status = reached.get_status_display().lower()
                self.message_user(request, f"{order} was {status} already. Nothing was changed.", messages.INFO)
            else:
                self._say(request, order, f"Thank-you page reached. {order} is completed.")
        return self.to_page_of(request, order)

    def set_tracking(self, request: HttpRequest, object_id: str) -> HttpResponse:
        order = self._order(request, object_id, "orders.change_order")
        form = TrackingForm(order=order, data=request.POST)
        if not form.is_valid():
            self._say_why_not(request, form)
            return self._page(request, order, tracking=form)
        tracked = services.set_tracking(number=order.number, tracking=form.tracking())
        return self._tracked(request, order, tracked, f"Tracking of {order} was set.")

    def clear_tracking(self, request: HttpRequest, object_id: str) -> HttpResponse:
        order = self._order(request, object_id, "orders.change_order")
        tracked = services.clear_tracking(number=order.number)
        return self._tracked(request, order, tracked, f"Tracking of {order} was cleared.")

    def _tracked(self, request: HttpRequest, before: Order, after: Order, sentence: str) -> HttpResponse:
        if after.tracking == before.tracking:
            self.message_user(request, "The tracking was like this already. Nothing was changed.", messages.INFO)
        else:
            self._say(request, after, sentence)
        return self.to_page_of(request, after)

    def retry(self, request: HttpRequest, object_id: str, delivery_id: str) -> HttpResponse:
        order = self._order(request, object_id, "notifications.change_delivery")
        sent, sentence = retry_one(order, delivery_id, by=request.user.get_username())
        self.message_user(request, sentence, messages.SUCCESS if sent else messages.ERROR)
        return self.to_page_of(request, order, fragment="postbacks")

    def _order(self, request: HttpRequest, object_id: str, permission: str) -> Order:
        """The order of an action; raises `PermissionDenied`, `Http404`."""
        if not self.has_view_permission(request) or not may(request, permission):
            raise PermissionDenied
        order: Order | None = self.named(request, object_id)
        if order is None:
            raise Http404("There is no such order.")
        return order

    def _say(self, request: HttpRequest, order: Order, sentence: str) -> None:
        self.log_change(request, order, sentence)
        self.message_user(request, sentence, messages.SUCCESS)

    def _say_why_not(self, request: HttpRequest, form: PaymentForm | RefundForm | TrackingForm) -> None:
        for sentence in form.non_field_errors() or [NOTHING_RECORDED]:
            self.message_user(request, sentence, messages.ERROR)


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


def _money(amount: Decimal, order: Order) -> str:
    return f"{amount} {order.currency}"


def _payment_recorded(purchase: Transaction) -> str:
    order = purchase.order
    if purchase.status == Transaction.Status.DECLINED:
        return f"Declined payment of {_money(purchase.amount, order)} recorded."
    return f"Payment of {_money(purchase.amount, order)} recorded. {order} is {order.get_status_display().lower()}."


def _refund_applied(refund: Refund) -> str:
    order = refund.order
    whole = f" {order} is refunded." if order.status == Order.Status.REFUNDED else ""
    return f"{refund.get_kind_display()} of {_money(refund.amount, order)} applied.{whole}"
