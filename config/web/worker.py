"""The web process: gunicorn's threads, each of which gets a request only when head and body have arrived.

gunicorn's own threaded worker reads a request, and writes its answer, in a thread: forty connections that send half of
a request, or read nothing of their answer, stop all of it for as long as they like. Here one loop over all sockets of
the process reads and writes, each within a time of its own, and threads work on memory alone. Parsing, the answers'
framing, limits of the head and everything about processes stay gunicorn's.
"""

import json
import resource
import selectors
import socket
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from typing import Any

import structlog
from gunicorn import http
from gunicorn.http import errors
from gunicorn.http.body import Body, ChunkedReader, LengthReader
from gunicorn.workers.gthread import ThreadWorker

from config import sub_path
from config.security_headers import OF_THE_SERVER
from config.web.connection import BufferTooLarge, Connection
from config.web.limits import LONGEST_BODY
from notifications.correlation import REQUEST_ID_HEADER, new_request_id

log = structlog.get_logger(__name__)

# The whole head must be here after so long, the body after so long and what its length takes at the slowest rate.
HEAD_SECONDS = 10.0
BODY_SECONDS = 20.0
# As long may a client take for what is left of its answer, when that is complete.
ANSWER_SECONDS = 30.0
SLOWEST_BYTES_PER_SECOND = 16 * 1024
# What all half-sent requests of a process may hold in memory.
HELD_AT_MOST = 64 * 1024 * 1024
# How long is read and thrown away what a client goes on sending behind its answer, which a reset would take from it.
LINGER_SECONDS = 2.0
LINGER_BYTES = 4 * 1024 * 1024
# How often the loop looks for connections whose time is over.
LOOK_EVERY_SECONDS = 0.5
# Files that are not connections: logs, the pool's connections, modules.
FILES_RESERVED = 128
# Supervisors get their answer also while every thread waits for the database.
PROBES = {"/healthz", "/readyz", "/healthz/deliveries", "/metrics"}
PROBE_THREADS = 2
REFUSALS: tuple[tuple[type[Exception], HTTPStatus], ...] = (
    (errors.LimitRequestLine, HTTPStatus.REQUEST_URI_TOO_LONG),
    (errors.LimitRequestHeaders, HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE),
    (errors.ExpectationFailed, HTTPStatus.EXPECTATION_FAILED),
    (errors.UnsupportedTransferCoding, HTTPStatus.NOT_IMPLEMENTED),
    (errors.InvalidResponseHeader, HTTPStatus.INTERNAL_SERVER_ERROR),
    (errors.InvalidResponseHeaderName, HTTPStatus.INTERNAL_SERVER_ERROR),
    (errors.ConfigurationProblem, HTTPStatus.INTERNAL_SERVER_ERROR),
    (errors.ParseException, HTTPStatus.BAD_REQUEST),
)


class BufferingWorker(ThreadWorker):
    """Set as `worker_class` in `config.web.gunicorn`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Each in the order in which it began; together with those that threads work on they are all connections.
        self._reading: dict[Connection, None] = {}
        self._writing: dict[Connection, None] = {}
        self._lingering: dict[Connection, None] = {}
        self._held = 0
        self._look_at = 0.0
        self._stopping = False

    @classmethod
    def check_config(cls, cfg: Any, _log: Any) -> None:
        if cfg.is_ssl or cfg.protocol != "http":
            raise RuntimeError("The web process speaks HTTP/1.1; a proxy in front of it ends TLS.")

    def init_process(self) -> None:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft < hard:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        if hard != resource.RLIM_INFINITY:
            self.worker_connections: int = min(
                self.cfg.worker_connections, max(hard - FILES_RESERVED, self.cfg.threads)
            )
        self.cfg.set("sendfile", False)  # answers go through the loop
        self._probes = ThreadPoolExecutor(PROBE_THREADS, thread_name_prefix="probe")
        super().init_process()

    # Reading, in the loop.

    def accept(self, listener: socket.socket) -> None:
        """Take a connection in; where there are too many, that which has been sending its request for longest goes."""
        if self.nr_conns >= self.worker_connections - 1:
            self._make_room()
        try:
            client, address = listener.accept()
        except BlockingIOError:
            return
        except OSError as error:
            self.log.warning("Cannot accept a connection: %s", error)
            self._make_room()
            return
        self.nr_conns += 1
        connection = Connection(client, address, listener.getsockname())
        connection.parser = http.get_parser(self.cfg, connection.source, address)
        self._read_on(connection, HEAD_SECONDS)

    def _make_room(self) -> None:
        for waiting in (self._reading, self._lingering, self._writing):
            if waiting:
                self._drop(next(iter(waiting)))
                return

    def _read_on(self, connection: Connection, seconds: float) -> None:
        connection.deadline = time.monotonic() + seconds
        self._reading[connection] = None
        self.poller.register(connection.socket, selectors.EVENT_READ, partial(self._on_readable, connection))

    def _on_readable(self, connection: Connection, _socket: object) -> None:
        received = connection.receive() if connection in self._reading else None
        if received is None:
            return
        if not received:
            self._drop(connection)
            return
        connection.buffer += received
        if connection.request is None and not connection.began:
            connection.began = True
            connection.deadline = time.monotonic() + HEAD_SECONDS
        self._advance(connection)
        while self._held > HELD_AT_MOST:
            holding = next((each for each in self._reading if each.buffer), None)
            if holding is None:
                break
            self._drop(holding)

    def _advance(self, connection: Connection) -> None:
        self._go_on(connection)
        self._held += connection.grown()

    def _go_on(self, connection: Connection) -> None:
        """Go on with what has arrived: to the body when the head is complete, to a thread when the body is."""
        if connection.request is None:
            head = connection.take_head(self._longest_head)
            if head is None or not self._read_head(connection, head):
                return
        assert connection.request is not None  # noqa: S101 - _read_head has said so
        # A longer one is left unread: it is refused by its length (`config.middleware`), by the API far earlier.
        body = connection.take_body(LONGEST_BODY)
        if body is None:
            return
        connection.source.feed(body)
        connection.out.began = False
        self._leave_loop(connection, self._reading)
        pool = self._probes if sub_path.without(connection.request.path) in PROBES else self.tpool
        pool.submit(self._respond, connection).add_done_callback(
            lambda future: self.method_queue.defer(self._responded, connection, future)
        )

    @property
    def _longest_head(self) -> int:
        """A head that is longer is given to the parser as it is, which says what is too long in it."""
        fields, size, line = self.cfg.limit_request_fields, self.cfg.limit_request_field_size, 8192
        return int(line + (fields or 32768) * ((size or 8190) + 2) + 4)

    def _read_head(self, connection: Connection, head: bytes) -> bool:
        """Whether there is a request now."""
        connection.source.feed(head)
        try:
            request = next(connection.parser)
        except (StopIteration, errors.NoMoreData):
            self._drop(connection)
            return False
        except Exception as error:
            self._leave_loop(connection, self._reading)
            self._refuse(connection, error)
            self._answer(connection, keep=False)
            return False
        # All that was taken is the head; the parser keeps nothing back, whatever it makes of it.
        connection.buffer[:0] = connection.parser.unreader.take_buffered() + connection.source.take()
        reader = request.body.reader
        connection.expects(request, None if isinstance(reader, ChunkedReader) else reader.length)
        announced = min(connection.length or 0, LONGEST_BODY)
        connection.deadline = time.monotonic() + BODY_SECONDS + announced / SLOWEST_BYTES_PER_SECOND
        if request._expected_100_continue:
            request._expected_100_continue = False  # it is said here, not when the body is there
            if announced or connection.length is None:
                with suppress(ConnectionError):
                    connection.out.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        return True

    # Answering, in a thread.

    def _respond(self, connection: Connection) -> bool:
        """Have the application answer, into the connection's buffer. Whether the connection may go on after it."""
        request = connection.request
        try:
            if connection.too_long:
                request.force_close()
            elif connection.length is None:
                _without_chunks(request)
            return bool(
                self.handle_request(request, connection) and connection.parser.finish_body() and connection.all_read
            )
        except (StopIteration, BufferTooLarge, ConnectionError) as error:
            self.log.debug("Ended within an answer: %s", error)
            connection.out.broken = True
        except Exception as error:
            if connection.out.began:  # nothing can be said any more but that it ends here
                log.exception("answer_broke")
                connection.out.broken = True
            else:
                self._refuse(connection, error)
        return False

    def _refuse(self, connection: Connection, error: Exception) -> None:
        """Say why there is no answer of the application's: what cannot be read, or a fault of ours."""
        status = next((status for kind, status in REFUSALS if isinstance(error, kind)), None)
        if isinstance(error, errors.NoMoreData):
            status = HTTPStatus.BAD_REQUEST
        if status is None or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            log.error("request_broke", exc_info=error)
        self._say(connection, status or HTTPStatus.INTERNAL_SERVER_ERROR)

    def _say(self, connection: Connection, status: HTTPStatus) -> None:
        request_id = new_request_id()
        log.warning("request_refused", request_id=request_id, status=status.value)
        problem = {"type": "about:blank", "title": status.phrase, "status": status.value, "detail": status.description}
        body = json.dumps({key: value for key, value in problem.items() if value}).encode()
        head = (
            f"HTTP/1.1 {status.value} {status.phrase}\r\nConnection: close\r\nCache-Control: no-store\r\n"
            f"Content-Type: application/problem+json\r\nContent-Length: {len(body)}\r\n"
            f"{REQUEST_ID_HEADER}: {request_id}\r\n"
        ) + "".join(f"{name}: {value}\r\n" for name, value in OF_THE_SERVER.items())
        with suppress(ConnectionError):
            connection.out.sendall(f"{head}\r\n".encode("ascii") + body)

    # Writing and ending, in the loop.

    def _responded(self, connection: Connection, future: "Future[bool]") -> None:
        self._answer(connection, keep=not future.exception() and future.result())

    def _answer(self, connection: Connection, *, keep: bool) -> None:
        """Send what is left of the answer as the client takes it, then read on or end."""
        connection.keep = keep
        connection.out.flush()
        if connection.out.broken:
            self._close(connection)
        elif connection.out.left:
            connection.deadline = time.monotonic() + ANSWER_SECONDS + connection.out.left / SLOWEST_BYTES_PER_SECOND
            self._writing[connection] = None
            self.poller.register(connection.socket, selectors.EVENT_WRITE, partial(self._on_writable, connection))
        else:
            self._answered(connection)

    def _on_writable(self, connection: Connection, _socket: object) -> None:
        if connection not in self._writing:
            return
        connection.out.flush()
        if connection.out.broken:
            self._drop(connection)
        elif not connection.out.left:
            self._leave_loop(connection, self._writing)
            self._answered(connection)

    def _answered(self, connection: Connection) -> None:
        if connection.keep and not (self._stopping and not connection.buffer):
            connection.next_request()
            self._read_on(connection, self.cfg.keepalive)
            if connection.buffer:
                connection.began = True
                connection.deadline = time.monotonic() + HEAD_SECONDS
                self._advance(connection)
            return
        connection.discarded = len(connection.buffer)
        connection.buffer.clear()
        self._held += connection.grown()
        connection.end_sending()
        connection.deadline = time.monotonic() + LINGER_SECONDS
        self._lingering[connection] = None
        self.poller.register(connection.socket, selectors.EVENT_READ, partial(self._on_lingering, connection))
        self._on_lingering(connection, None)  # most clients have closed already

    def _on_lingering(self, connection: Connection, _socket: object) -> None:
        received = connection.receive() if connection in self._lingering else None
        if received is None:
            return
        connection.discarded += len(received)
        if not received or connection.discarded > LINGER_BYTES:
            self._drop(connection)

    def murder_pending(self) -> None:
        """End the connections whose time is over; gunicorn's loop calls it after each round."""
        now = time.monotonic()
        if not self.alive and not self._stopping:
            self._stopping = True
            for connection in self._reading:
                connection.deadline = min(connection.deadline, now + LINGER_SECONDS)
        elif now < self._look_at:
            return
        self._look_at = now + LOOK_EVERY_SECONDS
        for waiting in (self._reading, self._writing, self._lingering):
            for connection in [each for each in waiting if each.deadline <= now]:
                if waiting is self._reading and connection.began:
                    self._leave_loop(connection, waiting)
                    self._say(connection, HTTPStatus.REQUEST_TIMEOUT)
                    self._answer(connection, keep=False)
                else:
                    self._drop(connection)

    def _leave_loop(self, connection: Connection, waiting: dict[Connection, None]) -> None:
        del waiting[connection]
        self.poller.unregister(connection.socket)

    def _drop(self, connection: Connection) -> None:
        for waiting in (self._reading, self._writing, self._lingering):
            if connection in waiting:
                self._leave_loop(connection, waiting)
        self._close(connection)

    def _close(self, connection: Connection) -> None:
        self.nr_conns -= 1
        connection.close()
        self._held += connection.grown()


def _without_chunks(request: Any) -> None:
    """Make it a request with a length, since WSGI and Django know no other. Raises what the parser raises."""
    body = request.body.read()
    request.headers = [(name, value) for name, value in request.headers if name != "TRANSFER-ENCODING"]
    request.headers.append(("CONTENT-LENGTH", str(len(body))))
    request.unreader.unread(body)
    request.body = Body(LengthReader(request.unreader, len(body)))
