"""Who uses the back office in the browser tests: one person for each role.

`python -m tests.browser.people`, with the `DATA_DIR` of a running system, adds them to it, and prints a key of its
API with both scopes on the last line.
"""

import os

ADMINISTRATOR = "administrator"
NOTIFICATIONS, ORDERS, VIEWERS = "Notification administrators", "Order staff", "Viewers"
USER_NAMES = {ADMINISTRATOR: "ada", NOTIFICATIONS: "nora", ORDERS: "oscar", VIEWERS: "vera"}
PASSWORD = "a tower of 7 green hats"


def add() -> str:
    from django.contrib.auth.models import Group, User

    from api.keys import create_key

    for role, name in USER_NAMES.items():
        everything = role == ADMINISTRATOR
        user = User.objects.create_user(
            name, f"{name}@example.com", PASSWORD, is_staff=True, is_superuser=everything, first_name=name.title()
        )
        if not everything:
            user.groups.add(Group.objects.get(name=role))
    return create_key(name="Browser tests", scopes=["storefront", "manage"])[1]


if __name__ == "__main__":
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    print(add())
