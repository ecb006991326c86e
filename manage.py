#!/usr/bin/env python
"""Django's command line. Uses the project's own `.venv` when the calling Python has no Django."""

import importlib.util
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent


def main() -> None:
    if importlib.util.find_spec("django") is None:
        python = ROOT / ".venv" / "bin" / "python"
        if not python.exists() or Path(sys.prefix) == ROOT / ".venv":
            sys.exit("Django is not installed. Run `make run` or `make test` once: they create .venv.")
        os.execv(python, [str(python), *sys.argv])  # noqa: S606
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as refusal:
        if sys.argv[1:2] != ["doctor"]:
            raise
        from config.doctor.report import tell_refusal

        sys.exit(tell_refusal(refusal, as_json="--json" in sys.argv))


if __name__ == "__main__":
    main()
