"""The demo's receiver: what it keeps of a postback and what it says of the signature."""

import logging
from datetime import UTC, datetime

import pytest
from standardwebhooks import Webhook

from channels_app.services import create_channel, update_channel
from channels_app.transports.postback.signature import new_secret, sign
from demo import receivers
from demo.models import ReceivedPostback
from demo.pages import MAX_BODY_BYTES
from demo.receivers import TOLERANCE_SECONDS, check_signature
from notifications.services import archive_channel
from tests.demo.conftest import WAREHOUSE_URL

pytestmark = pytest.mark.django_db


def test_a_postback_of_the_channel_is_kept_and_its_signature_holds(post, warehouse):
    assert post("warehouse", warehouse, **{"x-extra": "yes"}).status_code == 200
    postback = ReceivedPostback.objects.get()
    assert postback.signature_holds is True
    assert (postback.receiver, postback.webhook_id) == ("warehouse", "evt_1")
    assert (postback.event_type, postback.source) == ("order.completed", "shop")
    assert (postback.answered, postback.times_received) == (200, 1)
    assert postback.headers["webhook-id"] == "evt_1"
    assert postback.headers["x-extra"] == "yes"
    assert postback.readable_body.startswith('{\n  "id": "evt_1",')


def test_the_check_accepts_what_the_reference_library_signs():
    secret, body, signed_at = new_secret(), '{"id": "evt_1"}', 1_800_000_000
    signature = Webhook(secret).sign("evt_1", datetime.fromtimestamp(signed_at, UTC), body)
    headers = _headers(signature, signed_at)
    assert check_signature(secrets=[secret], headers=headers, body=body.encode(), now=signed_at).holds is True


def test_another_secret_does_not_hold(post, warehouse):
    assert post("warehouse", warehouse, secret=new_secret()).status_code == 200
    postback = ReceivedPostback.objects.get()
    assert postback.signature_holds is False
    assert "another secret" in postback.signature_reason


def test_a_body_changed_on_the_way_does_not_hold(post, warehouse):
    post("warehouse", warehouse, sent=b'{"id": "evt_1", "type": "refund.applied"}')
    postback = ReceivedPostback.objects.get()
    assert postback.signature_holds is False
    assert "the body was changed" in postback.signature_reason
    assert postback.event_type == "refund.applied"


@pytest.mark.parametrize("ago", [TOLERANCE_SECONDS + 30, -TOLERANCE_SECONDS - 30])
def test_a_timestamp_more_than_five_minutes_off_does_not_hold(post, warehouse, ago):
    post("warehouse", warehouse, signed_ago=ago)
    postback = ReceivedPostback.objects.get()
    assert postback.signature_holds is False
    assert "more than five minutes" in postback.signature_reason


@pytest.mark.parametrize("off, holds", [(0, True), (300, True), (-300, True), (301, False), (-301, False)])
def test_the_tolerance_is_five_minutes_either_way(off, holds):
    secret = new_secret()
    headers = _headers(sign(secret, "evt_1", 1_800_000_000, b"{}"), 1_800_000_000)
    assert check_signature(secrets=[secret], headers=headers, body=b"{}", now=1_800_000_000 + off).holds is holds


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_a_missing_header_does_not_hold_and_is_named(post, warehouse, name):
    assert post("warehouse", warehouse, **{name: ""}).status_code == 200
    postback = ReceivedPostback.objects.get()
    assert postback.signature_holds is False
    assert postback.signature_reason == f"The header {name} is missing."


@pytest.mark.parametrize("timestamp", ["yesterday", "1.5", "-1", "9" * 13, "١٢٣"])
def test_a_timestamp_that_is_no_number_does_not_hold(timestamp):
    headers = _headers("v1,abc", 0) | {"webhook-timestamp": timestamp}
    verdict = check_signature(secrets=[new_secret()], headers=headers, body=b"", now=0)
    assert verdict.holds is False
    assert "not a time" in verdict.reason


def test_one_good_signature_among_several_is_enough():
    """As the sender signs while a secret is being rotated."""
    old, new = new_secret(), new_secret()
    signatures = " ".join(sign(secret, "evt_1", 1_800_000_000, b"{}") for secret in (new, old))
    headers = _headers(f"v1a,ignored {signatures}", 1_800_000_000)
    assert check_signature(secrets=[old], headers=headers, body=b"{}", now=1_800_000_000).holds is True
    assert check_signature(secrets=[new_secret()], headers=headers, body=b"{}", now=1_800_000_000).holds is False


@pytest.mark.parametrize("case", ["nobody", "another path", "deleted"])
def test_without_a_channel_that_points_here_it_cannot_be_told(post, case):
    url = (
        WAREHOUSE_URL + "?next=/demo/receiver/warehouse/" if case == "deleted" else "http://127.0.0.1/demo/receiver/a/"
    )
    channel = create_channel(name="A channel", kind="postback", url=url)
    if case == "deleted":
        archive_channel(channel_id=channel.pk, by="test")
    if case == "another path":
        create_channel(name="B", kind="postback", url="http://127.0.0.1/x/?y=/demo/receiver/warehouse/")
    assert post("warehouse", channel).status_code == 200
    postback = ReceivedPostback.objects.get()
    assert postback.signature_holds is None
    assert postback.signature_reason.startswith("No channel points at this receiver")


def test_the_same_webhook_id_again_is_counted_not_kept_twice(post, warehouse):
    post("warehouse", warehouse)
    post("warehouse", warehouse, secret=new_secret())
    post("warehouse", warehouse)
    postback = ReceivedPostback.objects.get()
    assert (postback.times_received, postback.signature_holds) == (3, True)
    post("shop", warehouse)
    post("warehouse", warehouse, message_id="evt_2")
    assert list(ReceivedPostback.objects.values_list("receiver", "webhook_id", "times_received")) == [
        ("warehouse", "evt_2", 1),
        ("shop", "evt_1", 1),
        ("warehouse", "evt_1", 3),
    ]


def test_without_a_webhook_id_every_arrival_is_its_own(post):
    post("warehouse", message_id="")
    post("warehouse", message_id="")
    assert list(ReceivedPostback.objects.values_list("webhook_id", "times_received")) == [("", 1), ("", 1)]


def test_a_body_of_256_kib_is_taken_and_one_byte_more_is_refused_and_not_kept(post):
    assert post("warehouse", body=b"x" * (MAX_BODY_BYTES + 1)).status_code == 413
    assert not ReceivedPostback.objects.exists()
    assert post("warehouse", body=b"x" * MAX_BODY_BYTES).status_code == 200
    assert len(ReceivedPostback.objects.get().body) == MAX_BODY_BYTES


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not JSON",
        b"\xff\x00\xfe",
        b'{"type": "a\\u0000b", "source": "\\ud800"}',
        b'{"type": 5, "source": null}',
        b"[1, 2]",
        b"[" * 100_000,
        b'{"type": "' + b"t" * 5000 + b'"}',
        b'{"n": ' + b"9" * 5000 + b"}",
    ],
)
def test_whatever_the_body_is_it_is_kept_and_can_be_shown(post, staff, body):
    assert post("warehouse", body=body).status_code == 200
    assert ReceivedPostback.objects.count() == 1
    assert staff.get("/demo/receiver/").status_code == 200


def test_a_session_cookie_is_not_kept(post):
    post("warehouse", cookie="sessionid=secret")
    assert "cookie" not in ReceivedPostback.objects.get().headers


def test_the_values_of_a_channels_extra_headers_are_neither_kept_nor_shown(post, staff, warehouse):
    update_channel(channel_id=warehouse.pk, headers={"X-Token": "s3cret"})
    post("warehouse", warehouse, **{"x-token": "s3cret", "x-other": "yes"})
    kept = ReceivedPostback.objects.get().headers
    assert (kept["x-token"], kept["x-other"]) == ("********", "yes")
    page = staff.get("/demo/receiver/").content.decode()
    assert "<dt>x-token</dt><dd>********</dd>" in page
    assert "s3cret" not in page


def test_only_the_newest_are_kept(post, monkeypatch):
    monkeypatch.setattr(receivers, "KEPT", 3)
    for number in range(5):
        post("warehouse", message_id=f"evt_{number}")
    assert list(ReceivedPostback.objects.values_list("webhook_id", flat=True)) == ["evt_4", "evt_3", "evt_2"]


def test_only_post_is_taken_and_a_receivers_name_is_short(client, post):
    assert client.get("/demo/receiver/warehouse/").status_code == 405
    assert post("a" * 50).status_code == 200
    assert post("a" * 51).status_code == 404
    assert ReceivedPostback.objects.count() == 1


def test_the_failing_receiver_keeps_what_it_refuses_until_it_is_repaired(post, staff):
    assert post("failing").status_code == 503
    assert staff.post("/demo/receiver/failing/repair/", {"works": "yes"}).status_code == 302
    assert post("failing").status_code == 200
    postback = ReceivedPostback.objects.get()
    assert (postback.answered, postback.times_received) == (200, 2)
    staff.post("/demo/receiver/failing/repair/", {"works": "no"})
    assert post("failing").status_code == 503
    assert post("warehouse").status_code == 200


@pytest.mark.parametrize("receiver, status, wait", [("moved", 404, ""), ("gone", 410, ""), ("busy", 503, "3600")])
def test_receivers_that_refuse_do_so_by_their_names_and_keep_what_they_refuse(post, staff, receiver, status, wait):
    staff.post("/demo/receiver/failing/repair/", {"works": "yes"})
    answer = post(receiver)
    assert (answer.status_code, answer.headers.get("Retry-After", "")) == (status, wait)
    assert ReceivedPostback.objects.get().answered == status
    assert f"<dt>{receiver}</dt><dd>answers {status}" in staff.get("/demo/receiver/").content.decode()
    assert post(receiver + "-not").status_code == 200


def test_a_refusal_on_purpose_is_no_error_in_the_log(post, caplog):
    caplog.set_level(logging.WARNING)
    assert [post(receiver).status_code for receiver in ("failing", "busy", "moved", "gone")] == [503, 503, 404, 410]
    assert caplog.messages == []
    assert post("failing", body=b"x" * (MAX_BODY_BYTES + 1)).status_code == 413
    logging.getLogger("django.request").error("Service Unavailable: %s", "/elsewhere/")
    assert "Service Unavailable: /elsewhere/" in caplog.messages


def _headers(signature: str, timestamp: int) -> dict[str, str]:
    return {"webhook-id": "evt_1", "webhook-timestamp": str(timestamp), "webhook-signature": signature}
