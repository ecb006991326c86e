"""From a host name to a connected socket, by way of the address guard."""

import errno
import ipaddress
import socket
from collections.abc import Sequence
from dataclasses import dataclass

from channels_app.transports.net.addresses import Address, Network, refusal
from channels_app.transports.net.connecting import ConnectedElsewhereError, connect_to_any, interleaved
from channels_app.transports.net.deadline import DeadlineSocket, Exchange, Phase
from channels_app.transports.net.lookup import Resolve

LOOKUP_SECONDS = 10.0
CONNECT_SECONDS = 10.0
MAX_ADDRESSES = 8


class AddressRefusedError(Exception):
    """The host leads to no address that may be called. The message is a sentence for people."""


class NoConnectionError(Exception):
    """No lookup answer or no connection. The message is a sentence for people."""


@dataclass(frozen=True)
class Dialer:
    """Opens connections for one exchange.

    `allowed` are the networks let through although not public; None switches the guard off, for the way to what
    the operator has named: an egress proxy, the mail server. `resolve` and the two limits (seconds) can be replaced.
    """

    exchange: Exchange
    resolve: Resolve
    allowed: Sequence[Network] | None = ()
    lookup_seconds: float = LOOKUP_SECONDS
    connect_seconds: float = CONNECT_SECONDS

    def dial(self, host: str, port: int) -> DeadlineSocket:
        """Connect to a checked address of `host`.

        The name is resolved once and the address that was checked is the one connected to, so a name that changes its
        mind between the two (DNS rebinding) gains nothing. Raises `AddressRefusedError` and `NoConnectionError`.
        """
        with self.exchange.timed(Phase.LOOKUP):
            found = self._addresses(host, port)
        addresses = interleaved(self._permitted(host, found))[:MAX_ADDRESSES]
        with self.exchange.timed(Phase.CONNECT):
            return self._connect(host, port, addresses)

    def _addresses(self, host: str, port: int) -> list[Address]:
        if literal := literal_address(host):
            return [literal]
        try:
            found = self.resolve(host, port, min(self.lookup_seconds, self.exchange.left()))
        except TimeoutError as error:
            raise NoConnectionError(f"No name server answered for {host} in time.") from error
        except socket.gaierror as error:
            if error.errno in {socket.EAI_NONAME, socket.EAI_NODATA}:
                raise NoConnectionError(f"No name server knows {host}.") from error
            raise NoConnectionError(f"The name {host} could not be looked up: {error.strerror}.") from error
        except (OSError, UnicodeError) as error:
            raise NoConnectionError(f"The name {host} could not be looked up.") from error
        if not found:
            raise NoConnectionError(f"No name server knows {host}.")
        return [ipaddress.ip_address(address) for address in found]

    def _permitted(self, host: str, addresses: list[Address]) -> list[Address]:
        # Every address is checked and only those that pass are ever connected to; the host is refused when none does.
        # Refusing it when any fails would protect nothing further (no byte goes to the others either way), but would
        # lose messages to a receiver that publishes a private address beside its public one.
        if self.allowed is None:
            return addresses
        refusals = [(address, refusal(address, self.allowed)) for address in addresses]
        permitted = [address for address, reason in refusals if reason is None]
        if not permitted:
            address, reason = refusals[0]
            raise AddressRefusedError(refused_sentence(address, reason or "", host))
        return permitted

    def _connect(self, host: str, port: int, addresses: list[Address]) -> DeadlineSocket:
        try:
            seconds = min(self.connect_seconds, self.exchange.left())
        except TimeoutError as error:
            raise NoConnectionError(f"No time was left to connect to {host}.") from error
        try:
            return connect_to_any(self.exchange, addresses, port, seconds)
        except ConnectedElsewhereError as error:
            raise AddressRefusedError(str(error)) from error
        except OSError as error:
            raise NoConnectionError(_why_not_connected(host, port, error)) from error


def literal_address(host: str) -> Address | None:
    """The address that `host` is, if it is one and not a name."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def refused_sentence(address: Address, reason: str, host: str = "") -> str:
    """Says that an address is not permitted, for the log of attempts. `host` is the name that was looked up, if any."""
    owner = f" of {host}" if host and not literal_address(host) else ""
    return (
        f"The address {address}{owner} is not public ({reason}); "
        "an operator can allow it with POSTBACK_ALLOWED_NETWORKS."
    )


def _why_not_connected(host: str, port: int, failure: OSError) -> str:
    if isinstance(failure, ConnectionRefusedError):
        return f"Nothing listens on {host} port {port}."
    if isinstance(failure, TimeoutError) or failure.errno == errno.ETIMEDOUT:
        return f"{host} port {port} did not accept a connection in time."
    if isinstance(failure, ConnectionResetError):
        return f"{host} port {port} closed the connection before it answered."
    return f"{host} port {port} cannot be reached: {failure.strerror or failure}."
