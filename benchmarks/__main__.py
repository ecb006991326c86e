"""Runs the benchmarks and prints their tables: `python -m tests.embedded -m benchmarks --only throughput latency`.

Each table gives the median of several rounds with the lowest and the highest. A round measures all contenders in turn;
ratios are taken within a round. With BENCHMARK_LARGE=5000000 the larger size of `growth` is 5 million deliveries.
"""

import argparse
import importlib
import os
import platform
import time

import django
from django.conf import settings
from django.core.management import call_command

NAMES = ("throughput", "latency", "isolation", "hanging", "recording", "claims", "memory", "snapshot", "growth")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="(%(default)s)")
    parser.add_argument("--only", nargs="+", choices=NAMES, default=NAMES, metavar="NAME", help=", ".join(NAMES))
    arguments = parser.parse_args()
    call_command("migrate", verbosity=0)
    print(f"{os.cpu_count()} cores, Python {platform.python_version()}, rounds: {arguments.rounds}")
    for name in arguments.only:
        began = time.monotonic()
        importlib.import_module(f"benchmarks.{name}").run(arguments.rounds)
        print(f"  ({time.monotonic() - began:.0f} s)", flush=True)


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    # Receivers run on this machine; the workers are started with the same environment.
    os.environ["POSTBACK_ALLOWED_NETWORKS"] = "127.0.0.0/8"
    django.setup()
    settings.ALLOWED_HOSTS.append("testserver")
    settings.STORAGES["staticfiles"]["BACKEND"] = "django.contrib.staticfiles.storage.StaticFilesStorage"
    main()
