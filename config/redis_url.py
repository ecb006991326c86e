"""REDIS_URL, read once: what it says holds for Celery's broker, the cache and the doorbell alike.

Celery, Django and redis-py each read such a URL in their own way: Celery checks no certificate and takes the database
of a socket for database 0, redis-py passes over a path that is no number. So the URL is taken apart here, and each of
them is given one that it reads as it was meant.
"""

import hashlib
import hmac
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit

import certifi

from config.connection_urls import one_of, refuse, refuse_unencoded

_SCHEMES = ("redis", "rediss", "unix")
_PORT = 6379
# Who may be on the other side, as redis-py and the ssl module name it.
_CERTIFICATE_REQUIREMENTS = {
    **{word: word for word in ("required", "optional", "none")},
    **{f"cert_{word}": word for word in ("required", "optional", "none")},
}
_TRUTHS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_FILES = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
_TLS_OPTIONS = ("ssl_cert_reqs", "ssl_check_hostname", *_FILES)
_OPTIONS = ("db", "username", "password", *_TLS_OPTIONS)


@dataclass(frozen=True)
class RedisServer:
    """One server and database. `path` is that of a Unix socket, else it is None; `tls` is None without TLS."""

    host: str = ""
    port: int = _PORT
    path: str | None = None
    database: int = 0
    username: str = ""
    password: str = field(default="", repr=False)
    tls: dict[str, Any] | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        """The URL for redis-py, and so for Django's cache; `tls` goes beside it."""
        if self.path is not None:
            return f"unix://{self._credentials}{quote(self.path)}?db={self.database}"
        return f"{'redis' if self.tls is None else 'rediss'}://{self._address}/{self.database}"

    @property
    def broker_url(self) -> str:
        """The URL for Celery; `tls` goes beside it."""
        if self.path is not None:
            return f"redis+socket://{self._credentials}{quote(self.path)}?virtual_host={self.database}"
        return self.url

    @property
    def _address(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else quote(self.host, safe="")
        return f"{self._credentials}{host}:{self.port}"

    @property
    def _credentials(self) -> str:
        if not self.username and not self.password:
            return ""
        return f"{quote(self.username, safe='')}:{quote(self.password, safe='')}@"


def parse(name: str, value: str, *, extra_ca_bundle: str = "") -> RedisServer:
    """Read `value`, that of the variable `name`. With rediss the server's certificate is checked.

    Trusted are the public authorities, those of `extra_ca_bundle` and those of the option `ssl_ca_certs` (paths of
    PEM files). Raises `ImproperlyConfigured`, without a piece of a password, for whatever Celery, the cache and the
    doorbell would not understand alike.
    """
    refuse_unencoded(name, value)
    url = urlsplit(value.strip())
    if url.scheme not in _SCHEMES:
        refuse(name, "must be like redis://host:6379/0, rediss://host:6379/0 or unix:///path/of/socket?db=0.")
    options = _options(name, url)
    tls = {option: options.pop(option) for option in _TLS_OPTIONS if option in options}
    if tls and url.scheme != "rediss":
        refuse(name, f"has {', '.join(tls)}, which needs rediss://.")
    username, password = (unquote(part or "") for part in (url.username, url.password))
    common: dict[str, Any] = {
        "username": one_of(name, "username", username, options.get("username", "")),
        "password": one_of(name, "password", password, options.get("password", "")),
    }
    if common["username"] and not common["password"]:
        refuse(name, "has a user name without a password.")
    if url.scheme == "unix":
        if url.hostname or not url.path.strip("/"):
            refuse(name, "must name its socket by an absolute path: unix:///path/of/socket?db=0.")
        return RedisServer(path=unquote(url.path), database=_database(name, "", options), **common)
    return RedisServer(
        host=unquote(url.hostname or "") or "127.0.0.1",
        port=url.port or _PORT,
        database=_database(name, url.path.strip("/"), options),
        tls=_tls(name, tls, extra_ca_bundle) if url.scheme == "rediss" else None,
        **common,
    )


def key_prefix(secret_key: str) -> str:
    """The prefix of all our keys, so that several applications can share a Redis.

    Two installations of Tidings can, too: each has a `SECRET_KEY` of its own, which the prefix does not tell.
    """
    mark = hmac.new(secret_key.encode(), b"the keys in Redis", hashlib.sha256).hexdigest()[:8]
    return f"tidings:{mark}:"


def _options(name: str, url: SplitResult) -> dict[str, str]:
    options: dict[str, str] = {}
    for option, value in parse_qsl(url.query, keep_blank_values=True):
        if option not in _OPTIONS:
            refuse(name, f"has an option that is not known, {option!r}. There are {', '.join(_OPTIONS)}.")
        if option in options:
            refuse(name, f"has the option {option} twice.")
        options[option] = value
    return options


def _database(name: str, path: str, options: dict[str, str]) -> int:
    if "db" in options and not options["db"]:
        refuse(name, "has an option db without a number.")
    said = one_of(name, "database", unquote(path), options.get("db", "")) or "0"
    if not (said.isascii() and said.isdigit()):
        refuse(name, "must name its database by a number, as in redis://host:6379/2.")
    return int(said)


def _tls(name: str, options: dict[str, str], extra_ca_bundle: str) -> dict[str, Any]:
    """The arguments of redis-py's TLS connections."""
    requirement = _CERTIFICATE_REQUIREMENTS.get(options.get("ssl_cert_reqs", "required").lower())
    if requirement is None:
        refuse(name, "must have ssl_cert_reqs of required, optional or none.")
    check_hostname = _TRUTHS.get(options.get("ssl_check_hostname", "true").lower())
    if check_hostname is None:
        refuse(name, "must have ssl_check_hostname of true or false.")
    for option in _FILES:
        if option in options and not Path(options[option]).is_file():
            refuse(name, f"has an {option} that names no file: {options[option]}.")
    arguments: dict[str, Any] = {"ssl_cert_reqs": requirement, "ssl_check_hostname": check_hostname}
    arguments |= {option: options[option] for option in ("ssl_certfile", "ssl_keyfile") if option in options}
    # redis-py adds these to the authorities of the system.
    arguments["ssl_ca_certs"] = certifi.where()
    if further := [file for file in (extra_ca_bundle, options.get("ssl_ca_certs")) if file]:
        arguments["ssl_ca_data"] = "\n".join(Path(file).read_text(errors="replace") for file in further)
    return arguments
