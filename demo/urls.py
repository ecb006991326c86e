from django.urls import path, re_path

from demo import outbox_views, slack_views, views

_NAME = r"(?P<name>[-_a-zA-Z0-9]{1,50})"
app_name = "demo"
urlpatterns = [
    path("receiver/", views.received, name="received"),
    path("receiver/failing/repair/", views.repair, name="repair"),
    re_path(rf"^receiver/{_NAME}/$", views.receive, name="receive"),
    path("slack/", slack_views.messages, name="messages"),
    re_path(rf"^slack/{_NAME}/$", slack_views.receive, name="receive_message"),
    path("outbox/", outbox_views.mails, name="outbox"),
    path("outbox/<int:pk>/", outbox_views.mail, name="mail"),
    path("outbox/<int:pk>/html/", outbox_views.html, name="mail_html"),
]
