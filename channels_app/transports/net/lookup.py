"""Name lookups with a limit.

`getaddrinfo` cannot be interrupted, so it runs in daemon threads that a caller abandons when its time is over.
"""

import socket
import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any

MAX_THREADS = 16

Resolve = Callable[[str, int, float], list[str]]


class Lookups:
    """A resolver: `lookups(host, port, limit)` gives the addresses of a name, each once, in the system's order.

    At most `threads` lookups run at once, and one per name: however many attempts wait for a name whose servers are
    silent, it holds one thread. Raises `TimeoutError` after `limit` seconds (also when every thread hangs),
    `socket.gaierror` when there is no such name, `UnicodeError` for a name that cannot be one.
    """

    def __init__(self, threads: int = MAX_THREADS, getaddrinfo: Callable[..., list[Any]] = socket.getaddrinfo) -> None:
        self._max_threads = threads
        self._getaddrinfo = getaddrinfo
        self._lock = threading.Lock()
        self._threads = 0
        self._pending: dict[tuple[str, int], Future[list[str]]] = {}
        self._queue: SimpleQueue[tuple[str, int]] = SimpleQueue()

    def __call__(self, host: str, port: int, limit: float) -> list[str]:
        key = (host, port)
        with self._lock:
            future = self._pending.get(key)
            if future is None:
                future = self._pending[key] = Future()
                self._queue.put(key)
                if self._threads < min(self._max_threads, len(self._pending)):
                    self._threads += 1
                    threading.Thread(target=self._work, name=f"lookup-{self._threads}", daemon=True).start()
        return future.result(limit)

    def _work(self) -> None:
        while True:
            key = self._queue.get()
            addresses: list[str] = []
            failure: Exception | None = None
            try:
                found = self._getaddrinfo(*key, type=socket.SOCK_STREAM)
                addresses = list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))
            except Exception as error:
                failure = error
            with self._lock:
                future = self._pending.pop(key)
            if failure is None:
                future.set_result(addresses)
            else:
                future.set_exception(failure)
