"""`python -m tests.production.vanishing FOLDER`: the machine of database and broker vanishes without a word.

To be run in a network and a mount namespace of its own. There are two further machines (network namespaces) with a
wire to each. `data.tidings.test` is the first; that loses its address, so that whatever is sent to it is dropped and
nothing comes back, not even a reset. Then its data are on the second, and the name leads there. The connections of
before never hear of it. Prints what was seen, as JSON, times in seconds from the moment of the new address on.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.production.installation import Installation
from tests.production.programs import ENCODED_PASSWORD, PostgreSQL, Redis, program, servant
from tests.servers.receiver import Receiver
from tests.waiting import wait_until

NAME = "data.tidings.test"
CALLERS = 3
VOID_SECONDS = 2
PATIENCE_SECONDS = 90
DUE = """
UPDATE notifications_delivery SET status = 'pending', next_attempt_at = now(), finished_at = NULL
WHERE id = (SELECT max(id) FROM notifications_delivery WHERE status = 'succeeded')
"""


class Machine:
    """A network namespace with the address 10.77.NUMBER.2, wired to ours."""

    def __init__(self, number: int) -> None:
        self.address, wire = f"10.77.{number}.2", f"wire{number}"
        self._holder = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", program("unshare"), "--net", "sleep", "infinity"]
        )
        ours, theirs = (Path(f"/proc/{pid}/ns/net") for pid in ("self", self._holder.pid))
        wait_until(lambda: ours.readlink() != theirs.readlink())
        ip("link", "add", wire, "type", "veth", "peer", "name", "eth0", "netns", str(self._holder.pid))
        ip("addr", "add", f"10.77.{number}.1/24", "dev", wire)
        ip("link", "set", wire, "up")
        self.ip("link", "set", "lo", "up")
        self.ip("addr", "add", f"{self.address}/24", "dev", "eth0")
        self.ip("link", "set", "eth0", "up")
        # The wire itself stays: nobody is told that the neighbour is gone.
        hardware = json.loads(self.ip("-json", "link", "show", "eth0"))[0]["address"]
        ip("neigh", "replace", self.address, "lladdr", hardware, "nud", "permanent", "dev", wire)

    @property
    def before(self) -> list[str]:
        """Before a command that is to run there, as whom servers run as."""
        account = servant()
        as_servant = ["setpriv", "--reuid", str(account.user), "--regid", str(account.group), "--clear-groups"]
        return [*self._enter, *([] if account.user is None else [*as_servant, "--pdeathsig", "KILL"])]

    def ip(self, *words: str) -> str:
        return run(*self._enter, program("ip"), *words)

    def vanish(self) -> None:
        """Without its address it takes nothing in and has no way out."""
        self.ip("addr", "flush", "dev", "eth0")

    def close(self) -> None:
        self._holder.kill()
        self._holder.wait()

    @property
    def _enter(self) -> list[str]:
        return [program("nsenter"), f"--net=/proc/{self._holder.pid}/ns/net"]


class Calls:
    """Contacts that several callers send all the time, and when each call ended: (seconds, whether it was taken)."""

    def __init__(self, tidings: Installation) -> None:
        self._tidings = tidings
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=self._call, args=[number]) for number in range(CALLERS)]
        self.ended: list[tuple[float, bool]] = []
        self.sent = 0
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def _call(self, caller: int) -> None:
        number = caller
        while not self._stopping.wait(0.1):
            number += CALLERS
            taken = False
            with suppress(OSError):
                self._tidings.contact(number, timeout=PATIENCE_SECONDS)
                taken = True
            self.ended.append((time.monotonic(), taken))


def main(folder: Path) -> dict[str, Any]:
    ip("link", "set", "lo", "up")
    hosts = folder / "hosts"
    hosts.write_text(Path("/etc/hosts").read_text())
    run("mount", "--bind", str(hosts), "/etc/hosts")
    machines = [Machine(1), Machine(2)]
    name_leads_to(hosts, machines[0])
    postgres = PostgreSQL(folder, host=machines[0].address, before=machines[0].before).start()
    redis = Redis(folder, host=machines[0].address, before=machines[0].before).start()
    postgres.create("tidings")
    options = os.environ.get("VANISHING_OPTIONS", "")
    tidings = Installation(
        folder,
        DATABASE_URL=f"postgres://tidings:{ENCODED_PASSWORD}@{NAME}:{postgres.port}/tidings{options}",
        REDIS_URL=f"redis://:{ENCODED_PASSWORD}@{NAME}:{redis.port}/0",
        POSTBACK_ALLOWED_NETWORKS="127.0.0.0/8",
    )
    try:
        with Receiver() as receiver:
            return watch(tidings, receiver, machines, postgres, redis, hosts)
    finally:
        tidings.close()
        redis.kill()
        postgres.kill()
        for machine in machines:
            machine.close()


def watch(
    tidings: Installation,
    receiver: Receiver,
    machines: list[Machine],
    postgres: PostgreSQL,
    redis: Redis,
    hosts: Path,
) -> dict[str, Any]:
    tidings.prepare(pages=False)
    for name in ("gunicorn", "worker", "beat"):
        tidings.start(name)
    tidings.attach(receiver.url, "contact.created")
    calls = Calls(tidings)
    wait_until(lambda: len(receiver.received) > 20 * CALLERS and listens(redis), timeout=60)
    machines[0].vanish()
    vanished = time.monotonic()
    for server in (postgres, redis):
        assert server.child
        server.child.process.send_signal(signal.SIGINT)
        server.child.process.wait(30)
        server.move(machines[1].address, machines[1].before)
        server.start()
    wait_until(lambda: postgres.answers() and redis.answers(), timeout=60)
    wait_until(lambda: time.monotonic() > vanished + VOID_SECONDS)
    with postgres.connect() as connection:
        # Something is due that no call brings along.
        connection.execute(DUE)
    arrived = len(receiver.received)
    name_leads_to(hosts, machines[1])
    back = time.monotonic()

    def until(condition: Any) -> float:
        """How long it takes; the patience where it does not come."""
        with suppress(AssertionError):
            wait_until(condition, timeout=max(0.1, back + PATIENCE_SECONDS - time.monotonic()))
        return time.monotonic() - back

    seen: dict[str, Any] = {"void": back - vanished}
    seen["deliveries"] = until(lambda: len(receiver.received) > arrived)
    seen["calls"] = until(lambda: any(taken for ended, taken in calls.ended if ended > back))
    seen["broker"] = until(lambda: listens(redis))
    calls.stop()
    seen["last_refused"] = max((ended - back for ended, taken in calls.ended if not taken), default=0)
    pending = "SELECT count(*) FROM notifications_delivery WHERE status = 'pending'"
    recorded = "SELECT count(*) FROM notifications_event"
    with postgres.connect() as connection:
        wait_until(lambda: connection.execute(pending).fetchone() == (0,), timeout=90)
        events = connection.execute(recorded).fetchone()
    taken = sum(taken for _, taken in calls.ended)
    seen["lost"] = max(taken, *(events or (0,))) - len({request.id for request in receiver.received})
    seen["alive"] = all(child.alive() for child in tidings.programs)
    return seen


def listens(redis: Redis) -> bool:
    """Whether the worker waits for a message of the broker."""
    return "brpop" in [client["cmd"] for client in redis.client().client_list()]


def name_leads_to(hosts: Path, machine: Machine) -> None:
    lines = [line for line in hosts.read_text().splitlines() if NAME not in line]
    hosts.write_text("\n".join([*lines, f"{machine.address} {NAME}", ""]))


def ip(*words: str) -> str:
    return run(program("ip"), *words)


def run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"
    return done.stdout


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]))))
