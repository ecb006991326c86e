"""A receiver of what programs tell of themselves: it keeps all that is posted, and may never answer."""

import gzip
import threading
from dataclasses import dataclass
from types import TracebackType

from tests.servers.receiver import Received, Receiver


@dataclass
class Collecting(Receiver):
    """`hangs`: it reads what is sent and does not answer before its end."""

    hangs: bool = False

    def __post_init__(self) -> None:
        self._ended = threading.Event()
        self.answer = self._answer

    def _answer(self, _request: Received) -> int:
        if self.hangs:
            self._ended.wait()
        return 200

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._ended.set()
        super().__exit__(kind, error, traceback)


def unpacked(request: Received) -> bytes:
    """The body, decompressed."""
    return gzip.decompress(request.body) if request.headers.get("content-encoding") == "gzip" else request.body
