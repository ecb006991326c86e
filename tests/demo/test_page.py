"""The page that shows what the demo's receivers got, and that it exists in demo mode only."""

import re

import pytest
from django.test import Client

from channels_app.transports.postback.signature import new_secret
from demo.models import ReceivedPostback, ReceiverState
from demo.receivers import FAILING, works
from tests.demo.conftest import urls_of

pytestmark = pytest.mark.django_db
PATHS = ["/demo/receiver/", "/demo/receiver/warehouse/", "/demo/receiver/failing/repair/"]


def test_without_demo_none_of_the_urls_exist(staff, settings):
    settings.ROOT_URLCONF = urls_of(demo=False)
    for path in PATHS:
        assert staff.get(path).status_code == 404
        assert staff.post(path).status_code == 404
    assert staff.get("/healthz").status_code == 200
    assert not ReceivedPostback.objects.exists()


def test_with_demo_all_of_the_urls_exist(staff, settings):
    settings.ROOT_URLCONF = urls_of(demo=True)
    assert [staff.get(path).status_code for path in PATHS] == [200, 405, 405]


def test_who_is_not_staff_is_sent_to_the_login(client, django_user_model):
    login = "/admin/login/?next=/demo/receiver/"
    assert client.get("/demo/receiver/").headers["Location"] == login
    client.force_login(django_user_model.objects.create_user("ada"))
    assert client.get("/demo/receiver/").headers["Location"] == login
    answer = client.post("/demo/receiver/failing/repair/", {"works": "yes"})
    assert (answer.status_code, answer.headers["Location"].split("?")[0]) == (302, "/admin/login/")
    assert not ReceiverState.objects.exists()


def test_who_may_not_change_channels_sees_the_receivers_and_repairs_none(client, django_user_model):
    client.force_login(django_user_model.objects.create_user("vera", is_staff=True))
    page = client.get("/demo/receiver/")
    assert page.status_code == 200
    assert "/demo/receiver/failing/repair/" not in page.content.decode()
    assert client.post("/demo/receiver/failing/repair/", {"works": "yes"}).status_code == 403
    assert not works(FAILING)


def test_the_receiver_is_repaired_by_post_with_a_token_only(staff):
    assert staff.get("/demo/receiver/failing/repair/").status_code == 405
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = staff.cookies
    assert strict.post("/demo/receiver/failing/repair/", {"works": "yes"}).status_code == 403
    assert staff.post("/demo/receiver/failing/repair/", {"works": "perhaps"}).status_code == 400
    assert not ReceiverState.objects.exists()


def test_an_empty_page_says_so(staff):
    page = _page(staff)
    assert "Nothing has arrived yet." in page
    assert "<details" not in page


def test_a_row_says_in_words_what_arrived_and_whether_the_signature_holds(staff, post, warehouse):
    post("warehouse", warehouse)
    post("warehouse", warehouse)
    post("warehouse", warehouse, message_id="evt_2", secret=new_secret())
    post("elsewhere", message_id="evt_3", body=b"hello <b>you</b>")
    post("failing", message_id="evt_4")
    page = _page(staff)
    rows = re.findall(r"<summary.*?</summary>", page, re.DOTALL)
    said = [" ".join(re.sub(r"<[^>]*>", " ", row).split()[2:]) for row in rows]
    assert said == [
        "order.completed ? Signature not checked Source shop Receiver failing Arrived once Answered 503 evt_4",
        "Not an event of Tidings ? Signature not checked Receiver elsewhere Arrived once Answered 200 evt_3",
        "order.completed ✕ Signature does not hold Source shop Receiver warehouse Arrived once Answered 200 evt_2",
        "order.completed ✓ Signature holds Source shop Receiver warehouse Arrived 2 times Answered 200 evt_1",
    ]
    assert "hello &lt;b&gt;you&lt;/b&gt;" in page
    assert "&quot;number&quot;: &quot;1001&quot;" in page
    assert page.count("<h1") == 1


def test_the_page_turns_older_ones_over(staff):
    ReceivedPostback.objects.bulk_create(
        ReceivedPostback(receiver="a", webhook_id=f"evt_{number}", answered=200) for number in range(26)
    )
    first, second = _page(staff), _page(staff, "?page=2")
    assert (first.count("<details"), second.count("<details")) == (25, 1)
    assert "26 postbacks" in first
    assert ("Older" in first, "Newer" in first) == (True, False)
    assert ("Older" in second, "Newer" in second) == (False, True)


def test_it_refreshes_itself_until_it_is_paused(staff):
    going, paused = _page(staff), _page(staff, "?paused=1")
    assert ('http-equiv="refresh"' in going, "refresh.js" in going, "Pause refreshing" in going) == (True, True, True)
    assert ('http-equiv="refresh"' in paused, "refresh.js" in paused, "Pause refreshing" in paused) == (
        False,
        False,
        False,
    )
    assert "Refreshing is paused." in paused
    assert "Resume refreshing" in paused


def test_nothing_inline_runs_and_nothing_comes_from_elsewhere(staff):
    answer = staff.get("/demo/receiver/")
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    scripts = re.findall(r"<script[^>]*>(.*?)</script>", answer.content.decode(), re.DOTALL)
    assert scripts == [""]
    assert not re.search(r"\son\w+=|\sstyle=", answer.content.decode())
    assert not re.search(r'(src|href)="(https?:)?//', answer.content.decode())


def test_the_button_says_what_it_would_do_now(staff):
    assert "Repair the receiver" in _page(staff)
    page = staff.post("/demo/receiver/failing/repair/", {"works": "yes"}, follow=True).content.decode()
    assert "Break it again" in page
    assert "Repair the receiver" not in page


def _page(staff: Client, query: str = "") -> str:
    answer = staff.get(f"/demo/receiver/{query}")
    assert answer.status_code == 200
    return answer.content.decode()
