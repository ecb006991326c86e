"""Users and groups: Django's own pages, without what only a mouse opens and without the tables behind them."""

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client


@pytest.fixture
def root(db) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("root"))
    return client


def test_deleting_a_group_names_the_group_and_not_the_rows_that_link_it(root):
    group = Group.objects.get(name="Viewers")
    User.objects.create_user("vera").groups.add(group)
    page = root.get(f"/admin/auth/group/{group.pk}/delete/").content.decode()
    assert "Viewers" in page
    assert "relationship" not in page
    assert Group.objects.filter(pk=group.pk).exists()
    root.post(f"/admin/auth/group/{group.pk}/delete/", {"post": "yes"})
    assert not Group.objects.filter(pk=group.pk).exists()


def test_the_groups_of_a_user_are_checkboxes_without_a_menu_beside_them(root):
    vera = User.objects.create_user("vera")
    page = root.get(f"/admin/auth/user/{vera.pk}/change/").content.decode()
    assert page.count('type="checkbox" name="groups"') == Group.objects.count() == 3
    assert "related-widget-wrapper" not in page
