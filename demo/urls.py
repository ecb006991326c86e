"""The demo's addresses, below `/demo/`."""

from django.urls import path, re_path

from demo import outbox, receivers, slack

_NAME = r"(?P<name>[-_a-zA-Z0-9]{1,50})"
app_name = "demo"
urlpatterns = [
    path("receiver/", receivers.received, name="received"),
    path("receiver/failing/repair/", receivers.repair, name="repair"),
    re_path(rf"^receiver/{_NAME}/$", receivers.receive, name="receive"),
    path("slack/", slack.messages, name="messages"),
    re_path(rf"^slack/{_NAME}/$", slack.receive, name="receive_message"),
    path("outbox/", outbox.mails, name="outbox"),
    path("outbox/<int:pk>/", outbox.mail, name="mail"),
    path("outbox/<int:pk>/html/", outbox.html, name="mail_html"),
]
