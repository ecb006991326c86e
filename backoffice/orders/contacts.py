"""Contacts: entered and corrected by staff; source and status stay as they are."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.transaction import atomic
from django.http import HttpRequest, HttpResponse
from django.utils.decorators import method_decorator
from django.utils.safestring import SafeString

from backoffice.frame import may
from backoffice.orders.commerce_admin import LargeListAdmin, status_label
from backoffice.orders.contact_forms import ContactForm
from backoffice.orders.filters import CreatedFilter, Search, equals
from backoffice.orders.form_fields import add_refusal
from backoffice.orders.postbacks import notified
from backoffice.stale_forms import careful
from notifications import history
from orders import services
from orders.models import Contact, Source

ORDERS_SHOWN = 20
KnownContactForm = careful(ContactForm)


@admin.register(Contact)
class ContactAdmin(LargeListAdmin):
    list_display = ("name", "email", "shown_status", "source_label", "created")
    list_filter = (
        equals("status", "Status", Contact.Status.choices),
        equals("source", "Source", Source.choices),
        CreatedFilter,
    )
    search = Search("Name, e-mail, order number or contact id", contact="", order="orders__number")
    nothing_yet = "No contact yet. Shops and funnels send them through the API; staff add them here."

    @admin.display(description="Name")
    def name(self, contact: Contact) -> str:
        return str(contact)

    @admin.display(description="Status")
    def shown_status(self, contact: Contact) -> SafeString:
        return status_label(contact.status, contact.get_status_display())

    @admin.display(description="Source")
    def source_label(self, contact: Contact) -> str:
        return contact.get_source_display()

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = ContactForm(data=request.POST if request.method == "POST" else None)
        if form.is_valid():
            try:
                contact = services.create_contact_by_staff(data=form.cleaned_data["contact"])
            except ValidationError as refusal:
                add_refusal(form, refusal)
            else:
                self.log_addition(request, contact, [{"added": {}}])
                self.message_user(
                    request, f"Contact {contact} was added as a lead.{notified(contact)}", messages.SUCCESS
                )
                return self.to_page_of(request, contact)
        return self._page(request, form, None)

    @method_decorator(atomic)
    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        contact = self.named(request, object_id)
        if not self.has_view_permission(request, contact):
            raise PermissionDenied
        if contact is None:
            return self.not_found(request, object_id)
        if request.method != "POST":
            return self._page(request, KnownContactForm(contact=contact, about=contact.pk), contact)
        if not self.has_change_permission(request, contact):
            raise PermissionDenied
        form = KnownContactForm(contact=contact, about=contact.pk, data=request.POST)
        if not form.is_valid():
            return self._page(request, form, contact)
        try:
            contact = self._edit(request, contact, form)
        except ValidationError as refusal:
            add_refusal(form, refusal)
            return self._page(request, form, contact)
        self.message_user(request, f"Contact {contact} was saved.", messages.SUCCESS)
        return self.to_page_of(request, contact)

    @atomic
    def _edit(self, request: HttpRequest, contact: Contact, form: ContactForm) -> Contact:
        """Save what the form says, and keep in the history which e-mail address became which."""
        before = contact.email
        edited = services.edit_contact_by_staff(contact=contact, data=form.cleaned_data["contact"])
        others = [name for name in form.changed_data if name != "email"]
        if edited.email != before:
            corrected = f"{history.email_corrected(edited.pk)} from {before} to {edited.email}."
            history.record(action=history.Action.EDITED, by=request.user.get_username(), sentence=corrected)
            self.log_change(request, edited, corrected)
        if others or edited.email == before:
            self.log_change(request, edited, [{"changed": {"fields": others}}] if others else [])
        return edited

    def _page(self, request: HttpRequest, form: ContactForm, contact: Contact | None) -> HttpResponse:
        may_save = self.has_change_permission(request, contact) if contact else True
        for field in form.fields.values():
            field.disabled = not may_save
        sees_orders = contact is not None and may(request, "orders.view_order")
        context = {
            "title": str(contact) if contact else "Add contact",
            "contact": contact,
            "form": form,
            "media": form.media,
            "may_save": may_save,
            "may_add_order": contact is not None and may(request, "orders.add_order"),
            "sees_orders": sees_orders,
            "orders": contact.orders.all()[:ORDERS_SHOWN] if contact and sees_orders else [],
            "orders_shown": ORDERS_SHOWN,
            "sees_events": may(request, "notifications.view_event"),
        }
        return self.own_page(request, "admin/orders/contact/page.html", context)
