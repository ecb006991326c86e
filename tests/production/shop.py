"""A shop that calls the API all the time, while parts of Tidings are stopped and started."""

import threading
import urllib.error

from tests.production.client import Client
from tests.waiting import wait_until

PAUSE_SECONDS = 0.05


class Shop(threading.Thread):
    """Makes one contact after the other, and reads what became of them, until it is stopped."""

    def __init__(self, tidings: Client) -> None:
        super().__init__(daemon=True)
        self.tidings, self._ended = tidings, threading.Event()
        self.made = 0
        self.refusals: list[str] = []

    def run(self) -> None:
        while not self._ended.wait(PAUSE_SECONDS):
            try:
                self.tidings.contact(self.made)
                self.made += 1
                self.tidings.call("GET", "/deliveries?limit=5")
                self.tidings.call("GET", "/event-types")
            except urllib.error.HTTPError as error:
                self.refusals.append(f"{error.code}: {error.read().decode()}")
            except OSError as error:
                self.refusals.append(str(error))

    def make_more(self, number: int = 20) -> None:
        """Wait until so many more have been made."""
        reached = self.made + number
        wait_until(lambda: self.made >= reached or bool(self.refusals), timeout=60)

    def stop(self) -> None:
        self._ended.set()
        self.join(timeout=60)
