"""Those of the product, with an app more: the one that has the further event type."""

from config.settings import *  # noqa: F403 (settings are names)
from config.settings import INSTALLED_APPS

INSTALLED_APPS.insert(INSTALLED_APPS.index("notifications"), "tests.notifications.eleventh")
