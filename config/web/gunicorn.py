"""How gunicorn serves Tidings: `gunicorn --config python:config.web.gunicorn config.wsgi`.

The command line overrides what stands here.
"""

import sys
from typing import Any

worker_class = "config.web.worker.BufferingWorker"
workers = 2
threads = 8
# Idle and slow connections cost memory and a file each, no thread; past this the slowest of them go.
worker_connections = 4000
# It is not used, and its path is the same for all copies that one user runs.
control_socket_disable = True


def post_worker_init(_worker: Any) -> None:
    """Begin to report metrics, in each worker process once the application is loaded."""
    from notifications.metrics.reporting import reporter

    reporter.start("web")


def worker_exit(_server: Any, _worker: Any) -> None:
    """Report a last time, for what was answered since. A worker that has not loaded the application has no reporter."""
    reporting = sys.modules.get("notifications.metrics.reporting")
    if reporting is not None:
        reporting.reporter.stop()
