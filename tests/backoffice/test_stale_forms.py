# ruff: noqa: F401 (fixtures, imported and asked for by name)
"""A form that was open while somebody else changed the same writes only what was changed in it, or says what is so."""

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.urls import reverse

from backoffice.channels.fields import MASK
from channels_app.models import Channel
from notifications import services as notifications
from notifications.events import EVENT_TYPES
from notifications.models import EventChannel, EventTypeSwitch, HistoryEntry
from notifications.pausing import pause_channel
from orders import services
from orders.inputs import ContactInput, TrackingInput
from orders.models import Contact, Order, Product, Transaction
from tests.backoffice.browsing import forms_in, open_form
from tests.backoffice.reading import follow, messages_of, text_of
from tests.orders.shop import item, place

pytestmark = pytest.mark.django_db

COMPLETED = EVENT_TYPES["order.completed"]
SAVED_NOTHING = "Nothing was saved: somebody else has changed the same since you opened this page."
DONE_NOTHING = "Nothing was done: somebody else was here since you opened this page."


def of(name, *ids):
    return reverse(f"admin:{name}", args=ids)


def reactivate(contact, **fields):
    sent = ContactInput.model_validate({"email": contact.email, **fields})
    services.create_contact(source="shop", data=sent)


# Fields


def test_a_contact_keeps_what_a_shop_changed_while_its_page_was_open(admin_client, lead):
    form = open_form(admin_client, of("orders_contact_change", lead.pk))
    reactivate(lead, phone={"country": "US", "number": "+1 555 0199"}, tags=["spring"])
    assert form.send(admin_client, last_name="King").status_code == 302
    lead.refresh_from_db()
    assert (lead.last_name, lead.phone, "spring" in lead.tags) == (
        "King",
        {"country": "US", "number": "+1 555 0199"},
        True,
    )


def test_an_untouched_page_changes_nothing_whatever_happened_meanwhile(admin_client, lead):
    form = open_form(admin_client, of("orders_contact_change", lead.pk))
    reactivate(lead, first_name="Augusta", phone={"country": "US", "number": "+1 555 0199"}, tags=["spring", "a b"])
    lead.refresh_from_db()
    before = {field.attname: getattr(lead, field.attname) for field in Contact._meta.concrete_fields}
    assert form.send(admin_client).status_code == 302
    lead.refresh_from_db()
    assert {name: getattr(lead, name) for name in before} == before


def test_what_both_changed_is_refused_with_both_values_and_sending_again_decides(admin_client, lead):
    page = of("orders_contact_change", lead.pk)
    form = open_form(admin_client, page)
    reactivate(lead, first_name="Augusta", last_name="Byron")
    answer = form.send(admin_client, first_name="Adah", tags="vip")
    assert answer.status_code == 200
    text = text_of(answer)
    assert SAVED_NOTHING in text
    assert "it is now Augusta. You gave Adah." in text
    shown = answer.context["form"]
    assert (shown["first_name"].value(), shown["last_name"].value(), shown["tags"].value()) == ("Adah", "Byron", "vip")
    lead.refresh_from_db()
    assert (lead.first_name, lead.tags) == ("Augusta", [])
    html = answer.content.decode()
    assert f'href="#{shown["first_name"].id_for_label}"' in html
    assert 'aria-describedby="id_first_name_error"' in html

    (again,) = [each for each in forms_in(page, html) if each.action == page]
    assert again.send(admin_client).status_code == 302
    lead.refresh_from_db()
    assert (lead.first_name, lead.last_name, lead.tags) == ("Adah", "Byron", ["vip"])


def test_the_same_change_by_both_is_no_conflict(admin_client, lead):
    form = open_form(admin_client, of("orders_contact_change", lead.pk))
    reactivate(lead, first_name="Augusta")
    assert form.send(admin_client, first_name="Augusta", last_name="King").status_code == 302
    lead.refresh_from_db()
    assert (lead.first_name, lead.last_name) == ("Augusta", "King")


def test_an_email_that_somebody_else_corrected_meanwhile_is_not_put_back(admin_client, lead):
    page = of("orders_contact_change", lead.pk)
    forms = [open_form(admin_client, page) for _ in range(2)]
    assert open_form(admin_client, page).send(admin_client, email="ada@corrected.example").status_code == 302
    assert forms[0].send(admin_client, first_name="Augusta").status_code == 302
    answer = forms[1].send(admin_client, email="ada@other.example")
    assert "it is now ada@corrected.example. You gave ada@other.example." in text_of(answer)
    lead.refresh_from_db()
    assert (lead.email, lead.first_name) == ("ada@corrected.example", "Augusta")


def test_two_halves_of_an_address_are_not_put_together(admin_client, lead):
    lead.shipping_address = {**dict.fromkeys(ADDRESS, ""), "line1": "1 Main St", "city": "Bonn", "country": "DE"}
    lead.save()
    form = open_form(admin_client, of("orders_contact_change", lead.pk))
    moved = {**lead.shipping_address, "line1": "5 Rue Haute", "city": "Lyon", "country": "FR"}
    Contact.objects.filter(pk=lead.pk).update(shipping_address=moved)
    answer = form.send(admin_client, shipping_address_line1="2 Main St")
    assert SAVED_NOTHING in text_of(answer)
    assert "it was Bonn and is now Lyon" in text_of(answer)
    lead.refresh_from_db()
    assert lead.shipping_address == moved


ADDRESS = ("first_name", "last_name", "line1", "line2", "city", "state", "zip_code", "country")


def test_a_new_credential_does_not_go_to_an_address_that_somebody_else_gave(admin_client, channel):
    page = of("channels_app_channel_edit", channel.pk)
    form = open_form(admin_client, page)
    notifications.update_channel(channel_id=channel.pk, url="https://new.example.com/hook", by="bob")
    answer = form.send(admin_client, headers="Authorization: Bearer fresh")
    text = text_of(answer)
    assert SAVED_NOTHING in text
    assert "https://new.example.com/hook" in text
    now = Channel.objects.get()
    assert (now.url, now.headers) == ("https://new.example.com/hook", {})


def test_the_old_address_is_not_written_back_beside_another_name(admin_client, channel):
    form = open_form(admin_client, of("channels_app_channel_edit", channel.pk))
    notifications.update_channel(
        channel_id=channel.pk, url="https://new.example.com/hook", headers={"X-Key": "new"}, by="bob"
    )
    assert form.send(admin_client, name="Store").status_code == 302
    now = Channel.objects.get()
    assert (now.name, now.url, now.headers) == ("Store", "https://new.example.com/hook", {"X-Key": "new"})


def test_another_value_behind_the_mask_is_noticed_and_told_without_showing_it(admin_client, channel):
    notifications.update_channel(channel_id=channel.pk, headers={"X-Key": "old-secret"}, by="bob")
    form = open_form(admin_client, of("channels_app_channel_edit", channel.pk))
    assert "secret" not in str({name: form.fields[name] for name in form.fields if name != "headers"})
    notifications.update_channel(channel_id=channel.pk, headers={"X-Key": "new-secret"}, by="bob")
    answer = form.send(admin_client, url="https://mine.example.com/")
    assert SAVED_NOTHING in text_of(answer)
    assert "new-secret" not in answer.content.decode()
    assert "old-secret" not in answer.content.decode()
    assert Channel.objects.get().headers == {"X-Key": "new-secret"}


def test_a_slack_url_that_both_gave_is_refused_and_shown_masked(admin_client):
    known = notifications.create_channel(
        name="Ops", kind="slack", url="https://hooks.slack.com/services/T/B/first", by="bob"
    )
    form = open_form(admin_client, of("channels_app_channel_edit", known.pk))
    notifications.update_channel(channel_id=known.pk, url="https://hooks.slack.com/services/T/B/second", by="bob")
    answer = form.send(admin_client, url="https://hooks.slack.com/services/T/B/third")
    assert SAVED_NOTHING in text_of(answer)
    assert "second" not in answer.content.decode()
    assert Channel.objects.get().whole_url.endswith("second")
    # Only the name was changed here: the new URL stays.
    form = open_form(admin_client, of("channels_app_channel_edit", known.pk))
    notifications.update_channel(channel_id=known.pk, url="https://hooks.slack.com/services/T/B/fourth", by="bob")
    assert form.send(admin_client, name="On call").status_code == 302
    assert Channel.objects.get().whole_url.endswith("fourth")


def test_a_url_that_became_a_secret_meanwhile_gets_no_new_credentials_and_is_not_shown(admin_client, channel):
    form = open_form(admin_client, of("channels_app_channel_edit", channel.pk))
    secret = "https://hooks.zapier.com/hooks/catch/1/unguessable/"
    notifications.update_channel(channel_id=channel.pk, url=secret, url_is_secret=True, by="bob")
    answer = form.send(admin_client, headers="X-Key: mine")
    assert SAVED_NOTHING in text_of(answer)
    assert "unguessable" not in answer.content.decode()
    now = Channel.objects.get()
    assert (now.whole_url, now.url_is_secret, now.headers) == (secret, True, {})
    form = open_form(admin_client, of("channels_app_channel_edit", channel.pk))
    notifications.update_channel(channel_id=channel.pk, url=f"{secret}2", by="bob")
    assert SAVED_NOTHING in text_of(form.send(admin_client, headers="X-Key: mine"))
    assert form.send(admin_client, name="Zap").status_code == 302
    now = Channel.objects.get()
    assert (now.name, now.whole_url, now.headers) == ("Zap", f"{secret}2", {})


def test_recipients_that_both_changed_are_refused(admin_client):
    mail = notifications.create_channel(name="Us", kind="email", recipients=["a@example.com"], by="bob")
    form = open_form(admin_client, of("channels_app_channel_edit", mail.pk))
    notifications.update_channel(channel_id=mail.pk, recipients=["a@example.com", "b@example.com"], by="bob")
    answer = form.send(admin_client, recipients="a@example.com\r\nc@example.com")
    assert "it is now a@example.com, b@example.com. You gave a@example.com, c@example.com." in text_of(answer)
    assert Channel.objects.get().recipients == ["a@example.com", "b@example.com"]


def test_the_sources_of_an_attached_channel(admin_client, channel, attach):
    attach(channel, "order.completed")
    page = of("event_type_sources", COMPLETED.key, channel.pk)
    form = open_form(admin_client, page)
    notifications.change_sources(event_type=COMPLETED, channel_id=channel.pk, sources=["shop"], by="bob")
    answer = form.send(admin_client, sources=["admin", "funnel"])
    assert "it is now Shop. You gave Admin, Funnel." in text_of(answer)
    assert EventChannel.objects.get().sources == ["shop"]
    form = open_form(admin_client, page)
    notifications.detach_channel(event_type=COMPLETED, channel_id=channel.pk, by="bob")
    answer = form.send(admin_client, sources=["admin"])
    assert messages_of(answer) == ["Warehouse is not attached to Order completed any more. Nothing was changed now."]
    assert not EventChannel.objects.exists()


def test_the_price_of_a_product_and_its_currency_belong_together(admin_client, mug):
    form = open_form(admin_client, of("orders_product_change", mug.pk))
    Product.objects.update(currency="JPY", unit_price="1200", title="Cup")
    answer = form.send(admin_client, unit_price="13.00")
    assert SAVED_NOTHING in text_of(answer)
    mug.refresh_from_db()
    assert (str(mug.unit_price.normalize()), mug.currency) == ("1.2E+3", "JPY")
    form = open_form(admin_client, of("orders_product_change", mug.pk))
    Product.objects.update(title="Beaker")
    assert form.send(admin_client, unit_price="1300").status_code == 302
    mug.refresh_from_db()
    assert (mug.title, int(mug.unit_price)) == ("Beaker", 1300)


@pytest.mark.parametrize(("name", "fixture", "field"), [("survey", "survey", "title"), ("funnel", "funnel", "name")])
def test_surveys_and_funnels(admin_client, request, name, fixture, field):
    record = request.getfixturevalue(fixture)
    form = open_form(admin_client, of(f"orders_{name}_change", record.pk))
    type(record).objects.update(**{field: "Theirs"})
    assert form.send(admin_client).status_code == 302
    record.refresh_from_db()
    assert getattr(record, field) == "Theirs"
    form = open_form(admin_client, of(f"orders_{name}_change", record.pk))
    type(record).objects.update(**{field: "Theirs again"})
    answer = form.send(admin_client, **{field: "Mine"})
    assert "it is now Theirs again. You gave Mine." in text_of(answer)
    record.refresh_from_db()
    assert getattr(record, field) == "Theirs again"


def test_a_user_who_was_locked_out_meanwhile_is_not_let_in_again(admin_client):
    vera = User.objects.create_user("vera", is_staff=True)
    form = open_form(admin_client, of("auth_user_change", vera.pk))
    vera.is_active = False
    vera.save()
    vera.groups.add(Group.objects.get(name="Viewers"))
    assert form.send(admin_client, first_name="Vera").status_code == 302
    vera.refresh_from_db()
    assert (vera.first_name, vera.is_active, [str(each) for each in vera.groups.all()]) == ("Vera", False, ["Viewers"])


def test_groups_that_both_gave_a_user_are_refused(admin_client):
    vera = User.objects.create_user("vera", is_staff=True)
    viewers, staff = Group.objects.get(name="Viewers"), Group.objects.get(name="Order staff")
    form = open_form(admin_client, of("auth_user_change", vera.pk))
    vera.groups.add(viewers)
    answer = form.send(admin_client, groups=[str(staff.pk)])
    assert "it is now Viewers. You gave Order staff." in text_of(answer)
    assert list(vera.groups.all()) == [viewers]


def test_the_permissions_of_a_group(admin_client):
    group = Group.objects.create(name="Night shift")
    form = open_form(admin_client, of("auth_group_change", group.pk))
    group.permissions.add(Permission.objects.get(codename="view_order"))
    assert form.send(admin_client, name="Late shift").status_code == 302
    group.refresh_from_db()
    assert (group.name, group.permissions.count()) == ("Late shift", 1)


def test_tracking_that_both_set_is_refused_as_one(admin_client, lead, mug):
    order = place(lead, item("mug"))
    services.set_tracking(number=order.number, tracking=TrackingInput(carrier="UPS", number="1", url=None))
    form = open_form(admin_client, of("orders_order_set_tracking", order.pk))
    services.set_tracking(number=order.number, tracking=TrackingInput(carrier="DHL", number="9", url=None))
    answer = form.send(admin_client, **{"tracking-number": "2"})
    text = text_of(answer)
    assert SAVED_NOTHING in text
    assert "it is now 9. You gave 2." in text
    assert "it was UPS and is now DHL" in text
    order.refresh_from_db()
    assert (order.tracking["carrier"], order.tracking["number"]) == ("DHL", "9")


def test_a_form_that_does_not_say_what_it_showed_is_taken_as_it_is(admin_client, lead):
    answer = admin_client.post(of("orders_contact_change", lead.pk), {"first_name": "Adah", "form-shown": "forged"})
    assert answer.status_code == 302
    lead.refresh_from_db()
    assert lead.first_name == "Adah"


# Buttons


def test_clearing_a_tracking_that_somebody_else_set_is_refused(admin_client, lead, mug):
    order = place(lead, item("mug"))
    services.set_tracking(number=order.number, tracking=TrackingInput(carrier="UPS", number="1", url=None))
    button = open_form(admin_client, of("orders_order_change", order.pk), of("orders_order_clear_tracking", order.pk))
    services.set_tracking(number=order.number, tracking=TrackingInput(carrier="DHL", number="9", url=None))
    answer = button.send(admin_client)
    assert messages_of(answer) == [
        "Nothing was changed. Since the page was opened, somebody else was here: "
        "The tracking was UPS 1 and is now DHL 9."
    ]
    order.refresh_from_db()
    assert order.tracking["carrier"] == "DHL"


def test_a_payment_is_not_recorded_beside_one_that_somebody_else_recorded(admin_client, lead, mug):
    order = place(lead, item("mug"))
    page = of("orders_order_record_payment", order.pk)
    form = open_form(admin_client, page)
    services.record_transaction(
        number=order.number, status="approved", amount=order.total, gateway="stripe", reference="ch_1"
    )
    answer = form.send(admin_client, **{"payment-status": "approved"})
    assert DONE_NOTHING in text_of(answer)
    assert "What is paid was 0.00 USD and is now 12.50 USD." in text_of(answer)
    assert Transaction.objects.count() == 1


@pytest.mark.parametrize("action", ["pause", "delete", "rotate"])
def test_a_channel_that_was_changed_since_the_question_is_asked_for_again(admin_client, channel, action):
    page = of(f"channels_app_channel_{action}", channel.pk)
    form = open_form(admin_client, page)
    notifications.update_channel(channel_id=channel.pk, url="https://new.example.com/hook", by="bob")
    before = HistoryEntry.objects.count()
    answer = form.send(admin_client)
    assert DONE_NOTHING in text_of(answer)
    assert f"Its address was {channel.url} and is now https://new.example.com/hook." in text_of(answer)
    assert HistoryEntry.objects.count() == before
    assert open_form(admin_client, page).send(admin_client).status_code == 302
    assert HistoryEntry.objects.count() == before + 1


def test_a_pause_that_somebody_else_made_anew_is_not_ended_unseen(admin_client, channel):
    pause_channel(channel_id=channel.pk, reason="Maintenance.", by="anna")
    button = open_form(
        admin_client, of("channels_app_channel_change", channel.pk), of("channels_app_channel_resume", channel.pk)
    )
    notifications.resume_channel(channel_id=channel.pk, by="anna")
    pause_channel(channel_id=channel.pk, reason="The key leaked.", by="bob")
    answer = button.send(admin_client)
    (said,) = messages_of(answer)
    assert said.startswith(
        "Warehouse was not resumed. Since the page was opened, somebody else was here: The pause was"
    )
    assert "Maintenance." in said
    assert "The key leaked." in said
    assert Channel.objects.get().paused_at is not None


def test_detaching_what_listens_to_something_else_by_now_asks_again(admin_client, channel, attach):
    attach(channel, "order.completed")
    page = of("event_type_detach", COMPLETED.key, channel.pk)
    form = open_form(admin_client, page)
    notifications.change_sources(event_type=COMPLETED, channel_id=channel.pk, sources=["shop"], by="bob")
    answer = form.send(admin_client)
    assert "Sources was Admin, Shop, Funnel and is now Shop." in text_of(answer)
    assert EventChannel.objects.count() == 1
    assert open_form(admin_client, page).send(admin_client).status_code == 302
    assert form.send(admin_client).status_code == 302  # gone by now, and it is said
    assert EventChannel.objects.count() == 0


def test_a_switch_states_what_is_wanted_and_undoes_nobodys_decision(admin_client):
    notifications.set_event_type_enabled(event_type=COMPLETED, enabled=False, by="anna")
    listing, action = of("system_notifications"), of("event_type_switch", COMPLETED.key)
    button = open_form(admin_client, listing, action)
    notifications.set_event_type_enabled(event_type=COMPLETED, enabled=True, by="bob")
    answer = button.send(admin_client)
    (said,) = messages_of(answer)
    assert said.startswith("Order completed was on already: turned on by bob, ")
    follow(admin_client, answer)
    assert EventTypeSwitch.objects.get().changed_by == "bob"
    notifications.set_event_type_enabled(event_type=COMPLETED, enabled=False, by="bob")
    answer = button.send(admin_client)
    (said,) = messages_of(answer)
    assert said.startswith(
        "Nothing was changed. Since the page was opened, somebody else was here: Order completed was"
    )
    assert EventTypeSwitch.objects.get().enabled is False


@pytest.mark.parametrize("kind", ["user", "group"])
def test_a_user_or_group_that_was_changed_since_the_question_is_asked_for_again(admin_client, kind):
    record = User.objects.create_user("vera") if kind == "user" else Group.objects.create(name="Night shift")
    page = of(f"auth_{kind}_delete", record.pk)
    form = open_form(admin_client, page)
    if kind == "user":
        record.groups.add(Group.objects.get(name="Viewers"))
    else:
        record.permissions.add(Permission.objects.get(codename="view_order"))
    assert DONE_NOTHING in text_of(form.send(admin_client))
    assert type(record).objects.filter(pk=record.pk).exists()
    assert open_form(admin_client, page).send(admin_client).status_code == 302
    assert not type(record).objects.filter(pk=record.pk).exists()
