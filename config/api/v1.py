"""The REST API, version 1: what a storefront calls and what an administrator's script calls."""

from django.conf import settings

import channels_app.api
import notifications.api
import orders.api
from config.api.auth import ScopedKey
from config.api.build import build_api
from config.api.models import Scope

api = build_api(
    title="Tidings",
    version=settings.VERSION,
    namespace="api-v1",
    description="System notifications for a commerce back office.",
)
api.add_router("", orders.api.router, auth=ScopedKey(Scope.STOREFRONT))
api.add_router("", channels_app.api.router, auth=ScopedKey(Scope.MANAGE))
api.add_router("", notifications.api.router, auth=ScopedKey(Scope.MANAGE))
