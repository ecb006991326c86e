"""Claims, sends and records until nothing is due.

One call runs at a time in a process; a call that finds it running leaves a kick, and the runner looks for it again
*after* it has let go, so that no wake-up is lost.
"""

import queue
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import structlog
from django.conf import settings
from django.db import Error, connection

from notifications import replay
from notifications.delivery.claim import Alerts, Claim, begin_alerts, claim, is_cut, lease_seconds
from notifications.delivery.flights import Flights
from notifications.delivery.maintenance import ABANDON_BATCH, abandon, beat, recover
from notifications.delivery.marks import Marks
from notifications.delivery.record import record
from notifications.delivery.send import Result, send
from notifications.models import Heartbeat
from notifications.tally import Tally

log = structlog.get_logger(__name__)

HEARTBEAT_EVERY_SECONDS = 5
# How long to wait for further answers after the first one, so that they are recorded together.
GATHER_SECONDS = 0.005
# How long the messages of a claim that was cut have to themselves before the next claim.
CUT_SECONDS = 0.02
SHORTEST_WINDOW_SECONDS = 0.02
LONGEST_WINDOW_SECONDS = 0.25
WINDOW_IN_ROUNDS = 4
# The chores of a sweep take a twentieth of the time at most, though they come every ten seconds at least.
SHARE = 20
LONGEST_PAUSE_SECONDS = 10
RECORD_AGAIN_AFTER_SECONDS = 0.5
# Of what a deleted channel left pending, so many batches a sweep.
ABANDONED_BATCHES = 5


class Engine:
    """The delivering part of one worker process. Its threads send; the thread that runs it claims and records."""

    def __init__(self) -> None:
        self._flights = Flights(settings.DELIVERY_CONCURRENCY)
        self._pool = ThreadPoolExecutor(self._flights.most, thread_name_prefix="send")
        self._running = threading.Lock()
        self._kicked = threading.Event()
        self._stopping = threading.Event()
        # Results of the sending threads; None wakes the runner up to look for due rows.
        self._inbox: queue.SimpleQueue[Result | None] = queue.SimpleQueue()
        self._chores_at = 0.0
        self._marks = Marks()
        self._tally = Tally()
        # How long the last record and claim took, in seconds.
        self._round = 0.0
        # Whether the last claim left something for the next one.
        self._cut = False

    def deliver_due(self) -> int:
        """Deliver until nothing is due and nothing in flight; where that is going on already, have it look again.

        Returns how many attempts were recorded. Raises `django.db.Error` when PostgreSQL is away and nothing is in
        flight.
        """
        recorded = 0
        self._kicked.set()
        while self._kicked.is_set() and not self._stopping.is_set():
            if not self._running.acquire(blocking=False):
                self._inbox.put(None)
                break
            try:
                recorded += self._run()
            finally:
                self._running.release()
        return recorded

    def stop(self) -> None:
        """Claim nothing more, at once; what is in flight is finished and recorded."""
        self._stopping.set()
        self._inbox.put(None)

    def join(self, timeout: float) -> bool:
        """Wait until nothing is in flight and the sending threads have ended. Whether that was so in time."""
        if not self._running.acquire(timeout=timeout):
            return False
        self._count()
        self._pool.shutdown()
        self._running.release()
        return True

    def _run(self) -> int:
        recorded = 0
        results: list[Result] = []
        while True:
            began = time.monotonic()
            recorded += self._record(results)
            if not self._stopping.is_set():
                self._claim()
            self._round = time.monotonic() - began
            if self._flights:
                if self._tally.is_due():
                    self._count()
                results = self._gather()
            elif self._cut and not self._stopping.is_set():
                results = []
            elif self._marks and not self._stopping.is_set():
                self._marks.demand_whole_look()
                results = []
            else:
                self._count()
                return recorded

    def _count(self) -> None:
        try:
            self._tally.write()
        except Error:
            log.exception("count_failed")  # it is kept for the next time
        finally:
            connection.close()

    def _claim(self) -> None:
        """Fill the free slots. With something in flight a `django.db.Error` is logged, else raised."""
        self._kicked.clear()
        try:
            self._fill()
            began = time.monotonic()
            if began >= self._chores_at:
                if self._do_chores():
                    self._kicked.set()
                    self._inbox.put(None)
                pause = min(SHARE * (time.monotonic() - began), LONGEST_PAUSE_SECONDS)
                self._chores_at = began + max(settings.SWEEP_INTERVAL_SECONDS, pause)
        except Error:
            if not self._flights:
                raise
            log.exception("claim_failed")
        finally:
            # A kept connection stays broken after a restart of PostgreSQL; the pool hands out a checked one.
            connection.close()

    def _fill(self) -> None:
        began = time.monotonic()
        self._marks.begin_look(began)
        alerts = Alerts()
        claims = claim(**self._flights.room(), marks=self._marks, alerts=alerts)
        self._marks.end_look(began, time.monotonic() - began)
        self._submit(claims)
        self._cut = is_cut(claims)
        if alerts.leased:
            self._submit(begin_alerts(alerts))
            self._cut = self._cut or bool(alerts.passed)

    def _submit(self, claims: list[Claim]) -> None:
        for each in claims:
            self._flights.add(each)
            self._pool.submit(self._send, each)

    def _do_chores(self) -> bool:
        """What is done once a sweep, after the claim, so that nothing due waits for it. Whether more may be due now."""
        beat(Heartbeat.Name.WORKER, at_most_every=HEARTBEAT_EVERY_SECONDS)
        more = recover() > 0
        for _ in range(ABANDONED_BATCHES):
            if abandon() < ABANDON_BATCH:
                break
        try:
            more = replay.advance() > 0 or more
        except Exception:
            log.exception("replay_failed")  # a replay that cannot go on must not stop what happens now
        return more

    def _send(self, each: Claim) -> None:
        result = Result(each, None, 0)
        try:
            result = send(each)
        finally:
            self._inbox.put(result)

    def _gather(self) -> list[Result]:
        """Wait for an answer, a wake-up or the next claim; take along the answers that arrive a moment later.

        Gathering ends when all that is in flight has arrived, when no more comes for a moment, at a wake-up (else what
        has just come due would wait for as long as something hangs), and after a few times as long as the last claim
        and record took: the slower PostgreSQL, the more it is given at once.
        """
        results: list[Result] = []
        wait = CUT_SECONDS if self._cut else settings.SWEEP_INTERVAL_SECONDS
        self._cut = False
        window = min(max(SHORTEST_WINDOW_SECONDS, WINDOW_IN_ROUNDS * self._round), LONGEST_WINDOW_SECONDS)
        window_ends = None
        while len(results) < len(self._flights):
            try:
                arrived = self._inbox.get(timeout=wait)
            except queue.Empty:
                break
            if arrived is None:
                break
            results.append(arrived)
            now = time.monotonic()
            if window_ends is None:
                window_ends = now + window
            wait = min(GATHER_SECONDS, window_ends - now)
            if wait <= 0:
                break
        return results

    def _record(self, results: list[Result]) -> int:
        if not results:
            return 0
        recorded = 0
        patience_ends = time.monotonic() + lease_seconds()
        try:
            while results:
                try:
                    recorded = record(results, self._tally)
                    break
                except Error:
                    log.exception("record_failed", deliveries=[result.claim.delivery_id for result in results])
                    if time.monotonic() > patience_ends:
                        break  # The leases have run out: the rows are due again.
                    time.sleep(RECORD_AGAIN_AFTER_SECONDS)
                finally:
                    connection.close()
        finally:
            self._flights.remove(result.claim for result in results)
        return recorded
