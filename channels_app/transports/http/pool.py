"""Connections that wait for the next exchange, by channel."""

import threading
import time
from collections import OrderedDict
from collections.abc import Hashable

from channels_app.transports.http import connection
from channels_app.transports.http.connection import Connection

# How many idle connections are kept of a channel, and of all channels together.
KEPT_PER_CHANNEL = 8
KEPT_IN_ALL = 256
# How long a connection may lie about beyond `IDLE_SECONDS` before it is closed.
LOOKS_SECONDS = 0.25


class Pool:
    """Idle connections by key: who may use them, and where they lead. Safe to share between threads.

    A channel has connections of its own, so that many on one host take none from each other, and it never has more
    than it has deliveries at once. Those that were idle for longer than `IDLE_SECONDS` are closed, by a thread that
    runs for as long as there are any: nothing is left half-closed because its channel has nothing more to send.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_key: dict[Hashable, list[Connection]] = {}
        self._idle: OrderedDict[Connection, Hashable] = OrderedDict()  # longest idle first
        self._closer: threading.Thread | None = None

    def __len__(self) -> int:
        return len(self._idle)

    def take(self, key: Hashable) -> Connection | None:
        """The connection used last that still stands; it is the caller's then."""
        while True:
            with self._lock:
                idle = self._by_key.get(key)
                if not idle:
                    return None
                taken = idle[-1]
                self._remove(taken)
            if taken.is_usable():
                return taken
            taken.close()

    def put(self, key: Hashable, kept: Connection) -> None:
        """Keep a connection, or close it, or another one, where there are too many."""
        kept.idle_since = time.monotonic()
        surplus = kept
        with self._lock:
            idle = self._by_key.setdefault(key, [])
            if len(idle) < KEPT_PER_CHANNEL:
                idle.append(kept)
                self._idle[kept] = key
                if self._closer is None or not self._closer.is_alive():
                    self._closer = threading.Thread(target=self._close_idle, name="idle-connections", daemon=True)
                    self._closer.start()
                if len(self._idle) <= KEPT_IN_ALL:
                    return
                surplus = next(iter(self._idle))
                self._remove(surplus)
        surplus.close()

    def _remove(self, idle: Connection) -> None:
        key = self._idle.pop(idle)
        others = self._by_key[key]
        others.remove(idle)
        if not others:
            del self._by_key[key]

    def _close_idle(self) -> None:
        while True:
            with self._lock:
                too_old = []
                for idle in list(self._idle):
                    if time.monotonic() - idle.idle_since <= connection.IDLE_SECONDS:
                        break
                    self._remove(idle)
                    too_old.append(idle)
                ends = not self._idle
                if ends:
                    self._closer = None
            for idle in too_old:
                idle.close()
            if ends:
                return
            time.sleep(LOOKS_SECONDS)
