"""The programs of Tidings itself, as `make run` starts them."""

import signal
import sys

from demo.local.processes import Service

WORKER_PROCESSES = 1  # a worker process fills one core; production starts one a core
WEB_PROCESSES = 1  # config.web.gunicorn says the rest
_RECORDING_SECONDS = 10  # to record a delivery after its last second


def prepare() -> Service:
    """Runs once, to its end; see `demo.local.prepare`."""
    return Service("The preparation of the database", [sys.executable, "-m", "demo.local.prepare"])


def web(port: int) -> Service:
    """gunicorn on this port of loopback."""
    return Service(
        name="web",
        command=[
            *(sys.executable, "-m", "gunicorn", "--config", "python:config.web.gunicorn", "config.wsgi"),
            *("--bind", f"127.0.0.1:{port}", "--workers", str(WEB_PROCESSES)),
            *("--graceful-timeout", "8", "--log-level", "warning"),
        ],
        death_signal=signal.SIGQUIT,  # takes its workers along
    )


def worker(number: int, launcher: int, timeout_seconds: float) -> Service:
    """A Celery worker, with the patience for a delivery that has just begun to end and be recorded."""
    return Service(
        name=f"worker {number}",
        command=[
            # Root in a container is no reason for a page of warnings: the only messages are our own, in JSON.
            *(sys.executable, "-W", "ignore:You're running the worker with superuser"),
            *("-m", "celery", "--quiet", "-A", "config", "worker", "--loglevel", "WARNING"),
            *("--hostname", f"tidings-{launcher}-{number}@%h"),
            # Its heartbeat is not used, and a broker that falls silent would hold up its end with it.
            *("--without-gossip", "--without-mingle", "--without-heartbeat"),
        ],
        patience=timeout_seconds + _RECORDING_SECONDS,
    )


def beat() -> Service:
    """Celery's scheduler."""
    return Service(
        name="beat",
        command=[sys.executable, "-m", "celery", "--quiet", "-A", "config", "beat", "--loglevel", "WARNING"],
    )
