"""Tidings as the README says it is run: its own commands, in a folder where nothing was before, by nobody special."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from config.environment import NAMES
from demo.local import processes
from demo.local.processes import Child, Service
from tests.demo.local.launching import PROJECT, copy_of_project, free_port
from tests.production.client import Client, person
from tests.production.programs import servant
from tests.waiting import wait_until

_BLOCK = re.compile(r"^## Running it for real$.*?^```\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_READING_ALL = ("--inh-caps", "+dac_read_search", "--ambient-caps", "+dac_read_search")
KEYS = {
    "SECRET_KEY": "a key of this installation alone, long enough for everybody",
    "SECRETS_ENCRYPTION_KEYS": "Zm9yIHRoZSB0ZXN0cyBvZiBwcm9kdWN0aW9uLCAzMiA=",
    "PUBLIC_URL": "https://notify.example.com",
}


def readme_commands() -> list[str]:
    """The commands of "Running it for real", in their order, without the comments behind them."""
    block = _BLOCK.search((PROJECT / "README.md").read_text())
    assert block, "README.md has no commands under Running it for real"
    lines = [line.partition("  #")[0].strip() for line in block.group(1).splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


def readme_command(word: str) -> str:
    """The one command of README.md that has this word in it."""
    (found,) = [command for command in readme_commands() if word in command.split()]
    return found


class Installation(Client):
    """A clone in `folder`, with these settings beside those that README.md exports. Programs run until `close`.

    They run as nobody where the tests run as root: with the right to read what root alone may (the tests' Python may
    be there), and to write nothing but what is nobody's.
    """

    def __init__(
        self,
        folder: Path,
        before: Sequence[str] = (),
        copy: Callable[[Path], object] = copy_of_project,
        **settings: str,
    ) -> None:
        """`copy` fills a folder with the project."""
        self.folder = folder / "tidings"
        self.folder.mkdir()
        copy(self.folder)
        shutil.copy(PROJECT / "requirements.txt", self.folder)
        (self.folder / ".venv").symlink_to(sys.prefix)
        exported = re.findall(r"([A-Z_]+)=", readme_command("export"))
        assert set(exported) == {*KEYS, "DATABASE_URL", "REDIS_URL"}
        self.port = free_port()
        self._logs = folder
        self._before = before
        self.programs: list[Child] = []
        inherited = {name: value for name, value in os.environ.items() if name not in {*NAMES, *_OF_TESTS}}
        self.environment = {**inherited, "HOME": "/nonexistent", **KEYS, **settings}
        self._owner(servant().user)

    def seal(self) -> None:
        """From now on the programs can write nothing into the clone."""
        if os.geteuid() == 0:
            self._owner(0)

    def run(self, command: str, **settings: str) -> str:
        """Run a command of the shell to its end. Returns what it printed; raises CalledProcessError."""
        return self.try_to(command, **settings, check="yes").stdout

    def try_to(self, command: str, check: str = "", **settings: str) -> "subprocess.CompletedProcess[str]":
        done = subprocess.run(
            self._as_nobody(command),
            cwd=self.folder,
            env={**self.environment, **settings},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=110,
        )
        assert not check or done.returncode == 0, f"{command}: {done.stdout}\n{done.stderr[-3000:]}"
        return done

    def manage(self, command: str, **settings: str) -> str:
        return self.run(f".venv/bin/python manage.py {command}", **settings)

    def prepare(self, pages: bool = True) -> None:
        """The README's commands up to the first person; without `pages` what the API needs."""
        self.run(readme_command("migrate"))
        if pages:
            self.run(readme_command("collectstatic"))
            first = {"USERNAME": "ada", "EMAIL": "ada@example.com", "PASSWORD": "a-password-of-ada"}
            self.run(
                f"{readme_command('createsuperuser')} --noinput",
                **{f"DJANGO_SUPERUSER_{name}": value for name, value in first.items()},
            )
        self.key = self.manage('create_api_key "Shop" --scope storefront --scope manage').split()[-1]

    def begin(self, command: str) -> Child:
        """Start a command of the shell and do not wait for it."""
        log = self._logs / f"{len(self.programs)} command.log"
        child = processes.start(Service("command", self._as_nobody(command), log=log), self.environment, self.folder)
        self.programs.append(child)
        return child

    def forget(self, child: Child) -> None:
        """It has been killed, and need not live when the others are stopped."""
        self.programs.remove(child)

    def start(self, name: str, **settings: str) -> Child:
        """`gunicorn`, `worker` or `beat`, by the README's command. Further workers are numbered."""
        command = readme_command({"gunicorn": "config.wsgi"}.get(name, name))
        command = command.replace("127.0.0.1:8000", f"127.0.0.1:{self.port}")
        command = command.replace("worker1@", f"worker{len(self.programs)}@")
        log = self._logs / f"{len(self.programs)} {name}.log"
        service = Service(name, self._as_nobody(f"exec {command}"), log=log, death_signal=signal.SIGKILL, patience=45)
        child = processes.start(service, {**self.environment, **settings}, self.folder)
        self.programs.append(child)
        if name == "gunicorn":
            wait_until(self.web_answers, timeout=60)
        return child

    def log(self, child: Child) -> str:
        return (child.service.log or Path(os.devnull)).read_text(errors="replace")

    def buy(self) -> None:
        """An order that completes at once: `contact.created`, `transaction.approved`, `order.completed` and others."""
        self.manage(
            'shell -c "from orders.models import Product; '
            "Product.objects.create(sku='mug', title='Mug', kind='physical', unit_price='12.50', currency='USD')\""
        )
        order = self.call(
            "POST",
            "/orders",
            {"source": "shop", "contact": person("bea"), "items": [{"sku": "mug", "quantity": 1}]},
        )
        bought = {"status": "approved", "amount": "12.50", "gateway": "card", "reference": "r1"}
        self.call("POST", f"/orders/{order['number']}/transactions", bought)

    def stop(self, stumbling: bool = False) -> None:
        """SIGTERM, and in time. Nobody may have died before, or have stumbled unless they were pushed."""
        assert [self.log(child)[-3000:] for child in self.programs if not child.alive()] == []
        assert processes.stop(self.programs) == []
        logs = {child.service.name: self.log(child) for child in self.programs}
        assert stumbling or {name: log[-3000:] for name, log in logs.items() if "Traceback" in log} == {}
        self.programs.clear()

    def close(self) -> None:
        for child in self.programs:
            child.kill()

    def _as_nobody(self, command: str) -> list[str]:
        account = servant()
        if account.user is None:
            return [*self._before, "bash", "-c", command]
        return [
            *(*self._before, "setpriv", "--reuid", str(account.user), "--regid", str(account.group)),
            *("--clear-groups", *_READING_ALL, "--pdeathsig", "KILL", "--", "bash", "-c", command),
        ]

    def _owner(self, user: int | None) -> None:
        if user is not None:
            for path in (self.folder, *self.folder.rglob("*")):
                os.chown(path, user, -1, follow_symlinks=False)


_OF_TESTS = ("DJANGO_SETTINGS_MODULE", "TIDINGS_TEST_SERVERS", "HOME", "DEMO")


def last_line(done: "subprocess.CompletedProcess[str]") -> str:
    """What a person at the terminal reads last."""
    return (done.stderr.strip() or done.stdout.strip()).splitlines()[-1]
