"""Imports redis-py so that it does not import OpenTelemetry.

It does where that is installed, for metrics that nobody has asked it for: 61 modules, a tenth of a second and 3 MB of
each process. Where spans are exported, what that takes is imported by what exports them.
"""

import sys


def import_redis() -> None:
    """Must be called before anything else imports redis-py; what is imported already stays."""
    if "opentelemetry" in sys.modules:
        return
    sys.modules["opentelemetry"] = None  # type: ignore[assignment] # to import it fails, as where it is not installed
    try:
        import redis  # noqa: F401
    finally:
        del sys.modules["opentelemetry"]
