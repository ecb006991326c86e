"""The pages of the demo's outbox, and how a mail's own HTML is kept from doing anything."""

import re
from urllib.parse import quote

import pytest
from django.contrib.auth.models import User
from django.core.mail import EmailMultiAlternatives
from django.test import Client

from backoffice.accounts.tasks import send_password_links
from demo.mails import for_frame
from demo.models import KeptMail
from demo.outbox import BACKEND
from tests.demo.conftest import urls_of

pytestmark = pytest.mark.django_db
DATE = "Thu, 26 Nov 2026 14:30:00 +0000"
TEXT = "Order 1001 of Ada <ada@example.com>\n\nOpen it: https://shop.example.com/admin/orders/1/?a=1&b=2"
HTML = '<!doctype html><html><head><title>x</title></head><body><p style="color: red">Sold</p><script>1</script></body>'


@pytest.fixture
def mail(settings) -> KeptMail:
    """A mail with both parts, kept by the backend."""
    settings.EMAIL_BACKEND = BACKEND
    headers = {"Message-ID": "<dlv_1@example.com>", "Date": DATE}
    people = ["ada@example.com", "bob@example.com"]
    message = EmailMultiAlternatives("Zoë’s <b>order</b>", TEXT, "Tidings <t@example.com>", people, headers=headers)
    message.attach_alternative(HTML, "text/html")
    message.send()
    return KeptMail.objects.get()


def test_without_demo_none_of_the_urls_exist(staff, settings, mail):
    settings.ROOT_URLCONF = urls_of(demo=False)
    for path in ("/demo/outbox/", f"/demo/outbox/{mail.pk}/", f"/demo/outbox/{mail.pk}/html/"):
        assert staff.get(path).status_code == 404


@pytest.mark.parametrize("path", ["", "{}/", "{}/html/"])
def test_who_is_not_staff_is_sent_to_the_login_and_nothing_is_posted(client, django_user_model, staff, mail, path):
    address = "/demo/outbox/" + path.format(mail.pk)
    assert staff.get(address).status_code == 200
    assert staff.post(address).status_code == 405
    client.logout()
    login = f"/admin/login/?next={address}"
    assert client.get(address).headers["Location"] == login
    client.force_login(django_user_model.objects.create_user("ada"))
    assert client.get(address).headers["Location"] == login


def test_an_empty_outbox_says_what_to_do(staff, settings):
    settings.EMAIL_BACKEND = BACKEND
    page = page_of(staff)
    assert "Nothing is here yet." in page
    assert "such as a paid order" in page
    assert 'href="/admin/channels_app/channel/add/"' in page
    assert "The demo sends no mail" in page


def test_where_mail_is_really_sent_it_says_so(staff, settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    page = page_of(staff)
    assert "Mail is really sent" in page
    assert "The demo sends no mail" not in page


def test_the_list_names_subject_recipients_and_how_often_it_was_sent(staff, mail):
    KeptMail.objects.update(times_received=3)
    KeptMail.objects.create(message_id="<2@a>", subject="", recipients=["cleo@example.com"], raw=b"")
    page = page_of(staff)
    rows = re.findall(r'<li class="mail">.*?</li>', page, re.DOTALL)
    assert [" ".join(re.sub(r"<[^>]*>", " ", row).split()[2:]) for row in rows] == [
        "Without a subject To cleo@example.com",
        "Zoë’s &lt;b&gt;order&lt;/b&gt; To ada@example.com, bob@example.com Sent 3 times",
    ]
    assert f'href="/demo/outbox/{mail.pk}/"' in page
    assert "2 mails, newest" in page


def test_the_list_turns_over_refreshes_and_can_be_paused(staff):
    KeptMail.objects.bulk_create(KeptMail(message_id=f"<{number}@a>", subject="A", raw=b"") for number in range(26))
    first, second = page_of(staff), page_of(staff, "?paused=1&page=2")
    assert (first.count('<li class="mail">'), second.count('<li class="mail">')) == (25, 1)
    assert ("refresh.js" in first, "Pause refreshing" in first) == (True, True)
    assert ("refresh.js" in second, "Resume refreshing" in second) == (False, True)
    assert 'href="?paused=1&amp;page=1"' in second


def test_a_mail_shows_its_headers_both_parts_and_its_source(staff, mail):
    page = staff.get(f"/demo/outbox/{mail.pk}/").content.decode()
    named = dict(re.findall(r"<div><dt>(.*?)</dt><dd>(.*?)</dd></div>", page))
    assert named.pop("Date") == DATE
    assert named == {
        "From": "Tidings &lt;t@example.com&gt;",
        "To": "ada@example.com, bob@example.com",
        "Subject": "Zoë’s &lt;b&gt;order&lt;/b&gt;",
        "Message-ID": "&lt;dlv_1@example.com&gt;",
    }
    assert f'<iframe sandbox="" src="/demo/outbox/{mail.pk}/html/"' in page
    assert '<a href="https://shop.example.com/admin/orders/1/?a=1&amp;b=2" rel="nofollow">' in page
    assert "Content-Type: multipart/alternative;" in page
    assert "<script>1" not in page


def test_recipients_that_the_mail_itself_does_not_name_are_told(staff, mail):
    KeptMail.objects.update(recipients=["ada@example.com", "Cleo <cleo@example.com>", "Bob <bob@example.com>"])
    page = staff.get(f"/demo/outbox/{mail.pk}/").content.decode()
    assert "<dt>Sent to as well</dt><dd>Cleo &lt;cleo@example.com&gt;</dd>" in page


def test_a_mail_that_is_text_alone_has_no_frame(staff, settings):
    settings.EMAIL_BACKEND = BACKEND
    EmailMultiAlternatives("A", "Only words", None, ["ada@example.com"]).send()
    mail = KeptMail.objects.get()
    page = staff.get(f"/demo/outbox/{mail.pk}/").content.decode()
    assert "<iframe" not in page
    assert "This mail has no HTML part." in page
    assert staff.get(f"/demo/outbox/{mail.pk}/html/").status_code == 404


def test_the_page_of_a_mail_may_frame_our_own_pages_and_is_framed_by_none(staff, mail):
    answer = staff.get(f"/demo/outbox/{mail.pk}/")
    own = policy(answer)
    assert (own["frame-src"], own["default-src"], own["frame-ancestors"]) == ("'self'", "'none'", "'none'")
    assert own["script-src"] == own["style-src"] == "'self'"
    assert answer.headers["X-Frame-Options"] == "DENY"


def test_the_frame_of_a_mail_runs_and_loads_nothing(staff, mail):
    answer = staff.get(f"/demo/outbox/{mail.pk}/html/")
    assert policy(answer) == {
        "default-src": "'none'",
        "style-src": "'unsafe-inline'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'self'",
        "sandbox": "",
    }
    assert answer.headers["X-Frame-Options"] == "SAMEORIGIN"
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.content.decode().rstrip("\n") == HTML.replace("<head>", '<head><base target="_blank">')


def test_a_link_in_a_mail_leads_out_of_the_frame_also_where_there_is_no_head():
    assert for_frame("<p>a</p><header>b</header>") == '<base target="_blank"><p>a</p><header>b</header>'
    assert for_frame('<HEAD lang="en"></HEAD><head>') == '<HEAD lang="en"><base target="_blank"></HEAD><head>'


@pytest.mark.parametrize("number", [0, 10**6, 10**30])
def test_a_mail_that_is_not_there_is_not_found(staff, number):
    assert staff.get(f"/demo/outbox/{number}/").status_code == 404
    assert staff.get(f"/demo/outbox/{number}/html/").status_code == 404


def test_the_demos_pages_lead_to_each_other(staff, mail):
    pages = {"/demo/receiver/": "Received postbacks", "/demo/slack/": "Slack messages", "/demo/outbox/": "Outbox"}
    for path, heading in {**pages, f"/demo/outbox/{mail.pk}/": ""}.items():
        page = staff.get(path).content.decode()
        assert [to for to in pages if f'<a href="{to}"' in page] == list(pages)
        assert re.findall(r'aria-current="page">([^<]*)<', page) == [heading] * bool(heading)
        assert page.count("<h1") == 1
        assert not re.search(r"\son\w+=|\sstyle=", page.split("Source</h2>")[0])


def test_the_menu_leads_to_each_of_the_demos_pages(staff):
    menu = staff.get("/admin/").content.decode()
    assert all(f'href="{path}"' in menu for path in ("/demo/receiver/", "/demo/slack/", "/demo/outbox/"))


def page_of(staff: Client, query: str = "") -> str:
    answer = staff.get(f"/demo/outbox/{query}")
    assert answer.status_code == 200
    return answer.content.decode()


def policy(answer) -> dict[str, str]:
    """By the directive."""
    parts = (part.strip().partition(" ") for part in answer.headers["Content-Security-Policy"].split(";"))
    return {name: value.strip() for name, _, value in parts if name}


@pytest.fixture
def root(db) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("root", "root@example.com", "a tower of 7 green hats"))
    return client


LINK = "https://tidings.example.com/admin/password_reset/MQ/d1ab3c-0123456789abcdef0123456789abcdef/"


def test_mails_that_reset_a_password_are_for_superusers(staff, root, mail, settings):
    settings.EMAIL_BACKEND, settings.PUBLIC_URL = BACKEND, "https://tidings.example.com"
    Client().post("/admin/password_reset/", {"email": "root@example.com"})
    assert send_password_links() == 1
    reset = KeptMail.objects.latest("pk")
    assert reset != mail
    listed = page_of(staff)
    assert "1 mail, newest" in listed and reset.subject not in listed
    for query in ("?page=1", "?page=2", f"?q={reset.subject}", "?paused=1"):
        assert reset.subject not in staff.get(f"/demo/outbox/{query}").content.decode()
    for path in (f"/demo/outbox/{reset.pk}/", f"/demo/outbox/{reset.pk}/html/"):
        assert staff.get(path).status_code == 404
    assert staff.get(f"/demo/outbox/{mail.pk}/").status_code == 200
    assert "2 mails, newest" in page_of(root)
    assert "/admin/password_reset/" in root.get(f"/demo/outbox/{reset.pk}/").content.decode()


@pytest.mark.parametrize(
    ("text", "html"),
    [
        (f"Hello.\n\n{LINK}\n", ""),
        ("Hello.", f'<p><a href="{LINK}">Here</a></p>'),
        ("Hello.", f'<p><a href="{LINK.replace("/", "&#x2F;")}">Here</a></p>'),
        (f"https://safe.example.com/?to={quote(LINK, safe='')}", ""),
        (f"Zoë: {'x' * 70}{LINK}", ""),  # a line that is too long is encoded and broken
    ],
)
def test_what_resets_a_password_is_told_by_the_link_and_not_by_the_subject(staff, settings, text, html):
    settings.EMAIL_BACKEND = BACKEND
    message = EmailMultiAlternatives("Your order", text, "Tidings <t@example.com>", ["ada@example.com"])
    if html:
        message.attach_alternative(html, "text/html")
    message.send()
    kept = KeptMail.objects.get()
    assert staff.get(f"/demo/outbox/{kept.pk}/").status_code == 404
    assert "Your order" not in page_of(staff)


def test_what_was_kept_without_looking_is_looked_at(staff, root, mail):
    message = EmailMultiAlternatives("Zoë", f"Zoë: {LINK}", "Tidings <t@example.com>", ["ada@example.com"])
    message.send()
    KeptMail.objects.update(for_superusers=None)
    reset = KeptMail.objects.latest("pk")
    assert root.get(f"/demo/outbox/{reset.pk}/").status_code == 200
    assert staff.get(f"/demo/outbox/{reset.pk}/").status_code == 404
    assert "1 mail, newest" in page_of(staff)
    assert list(KeptMail.objects.order_by("pk").values_list("for_superusers", flat=True)) == [False, True]
