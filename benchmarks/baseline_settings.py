"""Settings of the baseline: those of Tidings, with an ordinary database connection in place of the pool."""

import os

from config.settings import *  # noqa: F403
from config.settings import DATABASES

_database = {**DATABASES["default"], "OPTIONS": {**DATABASES["default"]["OPTIONS"]}}
del _database["OPTIONS"]["pool"]
# Without CELERY_DB_REUSE_MAX the connection is closed around every task, whatever stands here.
_database |= {"CONN_MAX_AGE": None if os.environ.get("BASELINE_DB_REUSE_MAX") else 0, "CONN_HEALTH_CHECKS": False}
DATABASES = {"default": _database}
