"""Every page of the back office, with the addresses that it has in a running system."""

import re
from collections.abc import Callable

# Whose pages are opened: the list that names them, with what it is asked for. The first one on it is taken.
_RECORDS = {
    "user": "/admin/auth/user/",
    "group": "/admin/auth/group/",
    "key": "/admin/api/apikey/",
    "product": "/admin/orders/product/",
    "funnel": "/admin/orders/funnel/",
    "contact": "/admin/orders/contact/",
    "order": "/admin/orders/order/?status__exact=completed",
    "quote": "/admin/orders/quote/?status__exact=open",
    "transaction": "/admin/orders/transaction/",
    "refund": "/admin/orders/refund/",
    "subscription": "/admin/orders/subscription/?status__exact=active",
    "survey": "/admin/orders/survey/",
    "response": "/admin/orders/surveyresponse/",
    "channel": "/admin/channels_app/channel/",
    "delivery": "/admin/notifications/delivery/?status=failed",
    "event": "/admin/notifications/event/",
}
_EVENT_TYPE = "/admin/integrations/system-notifications/order.completed/"

# Opened by somebody who has not logged in.
PUBLIC = {
    "Log in": "/admin/login/",
    "Forgotten password": "/admin/password_reset/",
    "Forgotten password, e-mail sent": "/admin/password_reset/sent/",
    "Forgotten password, link no longer valid": "/admin/password_reset/MQ/no-token/",
    "Forgotten password, new one set": "/admin/password_reset/complete/",
}
# Opened by an administrator. `{order}` is the address of a record up to its id.
PAGES = {
    "Dashboard": "/admin/",
    "Change password": "/admin/password_change/",
    "Password changed": "/admin/password_change/done/",
    "Search results": "/admin/search/?q=receiver",
    "Search without a result": "/admin/search/?q=nobody@example.invalid",
    "Integrations": "/admin/integrations/",
    "Alerts": "/admin/integrations/alerts/",
    "How to create a channel": "/admin/integrations/help/how-to-create-a-channel/",
    "Event catalogue": "/admin/integrations/event-catalogue/",
    "Event type in the catalogue": "/admin/integrations/event-catalogue/order.completed/",
    "System notifications": "/admin/integrations/system-notifications/",
    "Event type": _EVENT_TYPE,
    "Event type that is for postbacks only": "/admin/integrations/system-notifications/survey.completed/",
    "Attach a channel": f"{_EVENT_TYPE}attach/",
    "Sources of an attached channel": "{attached}sources/",
    "Detach a channel": "{attached}detach/",
    "Channels": "/admin/channels_app/channel/",
    "Add a channel": "/admin/channels_app/channel/add/",
    "Channel": "{channel}change/",
    "Edit a channel": "{channel}edit/",
    "Pause a channel": "{channel}pause/",
    "Rotate the secret of a channel": "{channel}rotate/",
    "Replay on a channel": "{channel}replay/",
    "Delete a channel": "{channel}delete/",
    "History of a channel": "{channel}history/",
    "Delivery log": "/admin/notifications/delivery/",
    "Failed deliveries": "/admin/notifications/delivery/?status=failed",
    "Delivery log without a match": "/admin/notifications/delivery/?q=nobody@example.invalid",
    "Delivery": "{delivery}change/",
    "Events": "/admin/notifications/event/",
    "Event": "{event}change/",
    "History": "/admin/notifications/historyentry/",
    "Orders": "/admin/orders/order/",
    "Orders without a match": "/admin/orders/order/?q=nobody",
    "Add an order": "/admin/orders/order/add/",
    "Order": "{order}change/",
    "History of an order": "{order}history/",
    "Record a payment": "{order}record-payment/",
    "Give money back": "{order}refund/",
    "Tracking": "{order}tracking/",
    "Commerce": "/admin/orders/",
    "Contacts": "/admin/orders/contact/",
    "Add a contact": "/admin/orders/contact/add/",
    "Contact": "{contact}change/",
    "History of a contact": "{contact}history/",
    "Transactions": "/admin/orders/transaction/",
    "Transaction": "{transaction}change/",
    "Refunds": "/admin/orders/refund/",
    "Refund": "{refund}change/",
    "Products": "/admin/orders/product/",
    "Add a product": "/admin/orders/product/add/",
    "Product": "{product}change/",
    "Funnels": "/admin/orders/funnel/",
    "Add a funnel": "/admin/orders/funnel/add/",
    "Funnel": "{funnel}change/",
    "Subscriptions": "/admin/orders/subscription/",
    "Subscription": "{subscription}change/",
    "Cancel a subscription": "{subscription}cancel/",
    "Quotes": "/admin/orders/quote/",
    "Add a quote": "/admin/orders/quote/add/",
    "Quote": "{quote}change/",
    "Surveys": "/admin/orders/survey/",
    "Add a survey": "/admin/orders/survey/add/",
    "Survey": "{survey}change/",
    "Survey responses": "/admin/orders/surveyresponse/",
    "Survey response": "{response}change/",
    "API keys": "/admin/api/apikey/",
    "Add an API key": "/admin/api/apikey/add/",
    "API key": "{key}change/",
    "Revoke an API key": "{key}revoke/",
    "Users": "/admin/auth/user/",
    "Add a user": "/admin/auth/user/add/",
    "User": "{user}change/",
    "Delete a user": "{user}delete/",
    "Password of a user": "{user}password/",
    "Groups": "/admin/auth/group/",
    "Add a group": "/admin/auth/group/add/",
    "Group": "{group}change/",
    "Delete a group": "{group}delete/",
}


def find_pages(read: Callable[[str], str]) -> dict[str, str]:
    """The path of every page that needs a login, by its name. `read` opens a path and returns the HTML.

    The pages of a record that there is none of are left out.
    """
    records = find_records(read)
    return {
        name: path.format(**records)
        for name, path in PAGES.items()
        if not path.startswith("{") or path[1:].partition("}")[0] in records
    }


def find_records(read: Callable[[str], str]) -> dict[str, str]:
    """The address of one record of each kind, up to its id, found by the links of the pages that list them."""
    found = {name: _first(read(path), f"{path.partition('?')[0]}[^/]+/", "change/") for name, path in _RECORDS.items()}
    found["attached"] = _first(read(_EVENT_TYPE), f"{_EVENT_TYPE}channels/[^/]+/", "sources/")
    return {name: path for name, path in found.items() if path is not None}


def _first(html: str, pattern: str, ending: str) -> str | None:
    found = re.search(rf'href="({pattern}){ending}[?"]', html)
    return found[1] if found else None
