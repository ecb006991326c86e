from django.urls import path, re_path

from config.demo import views

app_name = "demo"
urlpatterns = [
    path("receiver/", views.received, name="received"),
    path("receiver/failing/repair/", views.repair, name="repair"),
    re_path(r"^receiver/(?P<name>[-_a-zA-Z0-9]{1,50})/$", views.receive, name="receive"),
]
