"""What nobody has asked for is not even imported."""

import os
import subprocess
import sys

import pytest

from tests.demo.local.launching import PROJECT

ASK = """
import sys
import config.wsgi, config.celery, config.web.worker
config.celery.app.loader.import_default_modules()
from django.urls import get_resolver
get_resolver().url_patterns
from notifications.delivery.clock import engine
engine()
print(sorted({name.partition(".")[0] for name in sys.modules} & {"sentry_sdk", "opentelemetry", "google"}))
"""


@pytest.mark.slow
@pytest.mark.parametrize("unset", [None, "", " "])
def test_without_the_settings_neither_sentry_s_nor_opentelemetry_s_modules_are_loaded(unset):
    names = ("SENTRY_DSN", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_TRACES_EXPORTER")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("SENTRY_", "OTEL_"))}
    if unset is not None:
        environment |= dict.fromkeys(names, unset)
    ran = subprocess.run(
        [sys.executable, "-c", ASK], cwd=PROJECT, env=environment, capture_output=True, text=True, timeout=100
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.strip().splitlines()[-1] == "[]"
