"""What each call costs: `python -m tests.api.costs` reads calls from stdin and tells of each what it took.

A line of input is `[name, method, path, body in Latin-1, headers]`, a line of output `[name, status, seconds, peak
in MiB, bytes of the answer]`. Each call is made in a process of its own, forked from one that has answered one already:
the peak is what its memory grows by, that of libraries included.
"""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import django


def main() -> None:
    django.setup()
    from django.conf import settings
    from django.db import connections

    settings.ALLOWED_HOSTS = ["testserver"]
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = {**settings.STORAGES, "staticfiles": plain}
    calls = [json.loads(line) for line in sys.stdin]
    answer(*calls[0][1:])
    connection: Any = connections["default"]
    connection.close()
    connection.close_pool()
    for name, *call in calls:
        told, tell = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(told)
            os.write(tell, json.dumps([name, *measured(call)]).encode())
            os._exit(0)
        os.close(tell)
        with open(told) as pipe:  # noqa: PTH123 (it has no path)
            print(pipe.read() or json.dumps([name, 0, 0.0, 0.0, 0]), flush=True)
        os.waitpid(child, 0)


def measured(call: list[Any]) -> tuple[int, float, float, int]:
    Path("/proc/self/clear_refs").write_text("5")
    before, began = peak(), time.process_time()
    response = answer(*call)
    seconds = time.process_time() - began
    return response.status_code, seconds, (peak() - before) / 1024, len(response.content)


def answer(method: str, path: str, body: str, headers: dict[str, str]) -> Any:
    from django.test import Client

    content_type = headers.get("Content-Type", "")
    return Client(raise_request_exception=False).generic(
        method, path, body.encode("latin-1"), content_type, headers=headers
    )


def peak() -> int:
    """KiB."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0])


if __name__ == "__main__":
    main()
