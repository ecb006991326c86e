# ruff: noqa: F401 (fixtures, imported and asked for by name)
"""A form takes effect once, however often and however fast it is sent."""

import threading
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from api.models import ApiKey
from backoffice.submitting.models import Submission
from backoffice.submitting.once import KEPT_FOR, SHOWN_AGAIN_FOR
from backoffice.submitting.tasks import purge_submissions
from channels_app.models import Channel
from notifications.models import Delivery
from orders.models import Contact, Order
from tests.backoffice.browsing import forms_in, open_form
from tests.backoffice.reading import messages_of, text_of


def of(name, *ids):
    return reverse(f"admin:{name}", args=ids)


CONTACT = {"email": "grace@example.com", "first_name": "Grace", "last_name": "Hopper"}
KEY = {"name": "Shop", "scopes": ["storefront"]}


@pytest.mark.django_db
def test_the_second_gets_the_redirect_and_the_message_of_the_first(admin_client):
    form = open_form(admin_client, of("orders_contact_add"))
    first = form.send(admin_client, **CONTACT)
    assert first.status_code == 302
    admin_client.get(first.url)  # which shows the message
    second = form.send(admin_client, **CONTACT)
    assert (second.status_code, second.url) == (302, first.url)
    assert messages_of(second) == ["Contact Grace Hopper was added as a lead."]
    assert Contact.objects.count() == 1


@pytest.mark.django_db
def test_a_message_that_was_not_shown_yet_is_not_said_twice(admin_client):
    form = open_form(admin_client, of("orders_contact_add"))
    form.send(admin_client, **CONTACT)
    page = admin_client.get(form.send(admin_client, **CONTACT).url)
    assert text_of(page).count("was added as a lead.") == 1


@pytest.mark.django_db
def test_what_was_refused_leaves_the_token_as_good_as_before(admin_client):
    form = open_form(admin_client, of("orders_contact_add"))
    assert form.send(admin_client, **{**CONTACT, "email": "nobody"}).status_code == 200
    assert form.send(admin_client, **CONTACT).status_code == 302
    assert Contact.objects.count() == 1


@pytest.mark.django_db
def test_other_content_with_a_used_token_makes_nothing_and_is_not_lost(admin_client):
    page = of("orders_contact_add")
    form = open_form(admin_client, page)
    first = form.send(admin_client, **CONTACT)
    other = form.send(admin_client, **{**CONTACT, "email": "ada@example.com", "last_name": "Byron"})
    assert other.status_code == 409
    assert "This form was sent already" in text_of(other)
    assert first.url in other.content.decode()
    assert Contact.objects.count() == 1
    again = open_form(admin_client, page)
    assert (again.value("email"), again.value("last_name")) == ("ada@example.com", "Byron")
    assert again.send(admin_client).status_code == 302
    assert Contact.objects.count() == 2


@pytest.mark.django_db
def test_a_form_that_edits_may_be_changed_and_sent_again_from_the_same_page(admin_client, lead):
    form = open_form(admin_client, of("orders_contact_change", lead.pk))
    assert form.send(admin_client, first_name="Augusta").status_code == 302
    assert form.send(admin_client, first_name="Augusta", last_name="King").status_code == 302
    lead.refresh_from_db()
    assert str(lead) == "Augusta King"


@pytest.mark.django_db
def test_forms_without_a_token_or_with_none_of_ours_are_taken_as_they_are(admin_client):
    for number, token in enumerate(["", "forged", "a:b:c"]):
        sent = {**CONTACT, "email": f"grace{number}@example.com", "form-token": token}
        assert admin_client.post(of("orders_contact_add"), sent).status_code == 302
    assert (Contact.objects.count(), Submission.objects.count()) == (3, 0)


@pytest.mark.django_db
def test_a_key_is_made_once_and_shown_again_to_the_same_session_only(admin_client, admin_user):
    page = of("api_apikey_add")
    form = open_form(admin_client, page)
    first = form.send(admin_client, **KEY)
    key = first.context["key"]
    assert key in first.content.decode()
    second = form.send(admin_client, **KEY)
    assert (second.status_code, key in second.content.decode()) == (200, True)
    assert "unsafe-eval" in second["Content-Security-Policy"]
    elsewhere = Client()
    elsewhere.force_login(admin_user)
    third = form.send(elsewhere, **KEY)
    assert third.status_code == 409
    assert key not in third.content.decode()
    assert "What it showed once is not shown again." in text_of(third)
    assert ApiKey.objects.count() == 1
    assert key not in str(list(Submission.objects.values()))


@pytest.mark.django_db
def test_what_shows_a_secret_is_emptied_soon_and_all_is_forgotten_later(admin_client):
    form = open_form(admin_client, of("api_apikey_add"))
    form.send(admin_client, **KEY)
    open_form(admin_client, of("orders_contact_add")).send(admin_client, **CONTACT)
    assert purge_submissions() == 0
    assert not Submission.objects.filter(encrypted_answer="").exists()
    Submission.objects.update(created_at=timezone.now() - SHOWN_AGAIN_FOR - timedelta(seconds=5))
    assert form.send(admin_client, **KEY).status_code == 409
    assert purge_submissions() == 0
    assert [each.is_page for each in Submission.objects.filter(encrypted_answer="")] == [True]
    assert form.send(admin_client, **KEY).status_code == 409
    Submission.objects.update(created_at=timezone.now() - KEPT_FOR - timedelta(seconds=5))
    assert purge_submissions() == 2
    assert ApiKey.objects.count() == 1


@pytest.mark.django_db
def test_a_form_of_somebody_else_is_not_sent_in_ones_own_name(admin_client, sign_in):
    form = open_form(admin_client, of("orders_contact_add"))
    other = sign_in("orders.add_contact", "orders.view_contact")
    answer = form.send(other, **CONTACT)
    assert answer.status_code == 403
    assert "This page was opened by somebody else" in text_of(answer)
    assert Contact.objects.count() == 0
    assert "Grace" not in other.get(of("orders_contact_add")).content.decode()


@pytest.mark.django_db
def test_a_test_may_be_sent_again_from_the_page_that_stays(admin_client, channel):
    page, action = of("channels_app_channel_change", channel.pk), of("channels_app_channel_test", channel.pk)
    form = open_form(admin_client, page, action)

    def press():
        fields = {name: values[0] for name, values in form.fields.items()}
        return admin_client.post(action, fields, headers={"HX-Request": "true"})

    first, second = press(), press()
    assert Delivery.objects.count() == 1
    assert second.content == first.content
    form.fields["form-token"] = [second["Form-Token"]]
    assert press().status_code == 200
    assert Delivery.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_two_at_the_same_time_make_one(admin_user, mug, lead):
    """Both wait at a door, then are sent at once, from two connections."""
    client = Client()
    client.force_login(admin_user)
    form = open_form(client, of("orders_order_add"))
    typed = {"contact": lead.pk, "items-0-product": str(mug.pk)}
    door, answers = threading.Barrier(3), []

    def press() -> None:
        browser = Client()
        browser.cookies.update(client.cookies)
        door.wait(10)
        try:
            answers.append(form.send(browser, **typed))
        finally:
            connection.close()

    threads = [threading.Thread(target=press) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    order = Order.objects.get()
    assert {answer.url for answer in answers} == {of("orders_order_change", order.pk)}
    assert len(answers) == 3
    assert Submission.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_what_fails_afterwards_leaves_neither_the_thing_nor_the_answer(admin_client, monkeypatch):
    form = open_form(admin_client, of("orders_contact_add"))
    admin_client.raise_request_exception = False
    with monkeypatch.context() as patched:
        patched.setattr("backoffice.submitting.once.encrypt", lambda _text: 1 / 0)
        assert form.send(admin_client, **CONTACT).status_code == 500
    assert (Contact.objects.count(), Submission.objects.count()) == (0, 0)
    assert form.send(admin_client, **CONTACT).status_code == 302
    assert Contact.objects.count() == 1
