"""The line in the list of event types. Django imports this before whatever reads that list."""

from notifications.events import EVENT_TYPES
from tests.notifications.eleventh.praise import PRAISED

EVENT_TYPES[PRAISED.key] = PRAISED
