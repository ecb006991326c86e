import ipaddress
import socket
import weakref
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.channels_app.transports.conftest import _local_receivers, ca, ca_bundle

__all__ = ["_local_receivers", "ca", "ca_bundle"]


@dataclass
class Network:
    """What sockets of this process connect to. `dialled` are hosts and ports, in order; nothing leaves this machine.

    `roads` lead from a public address to a host of this machine; whatever else is not of this machine refuses.
    """

    dialled: list[tuple[str, int]] = field(default_factory=list)
    roads: dict[str, str] = field(default_factory=dict)


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Network:
    network, by_road = Network(), weakref.WeakKeyDictionary[socket.socket, str]()
    connect, getpeername = socket.socket.connect, socket.socket.getpeername

    def connect_here(sock: socket.socket, address: Any) -> None:
        if sock.family in {socket.AF_INET, socket.AF_INET6}:
            host, port = address[:2]
            network.dialled.append((host, port))
            if host in network.roads:
                by_road[sock] = host
            address = (network.roads.get(host, host), port)
            if not ipaddress.ip_address(address[0]).is_loopback:
                raise ConnectionRefusedError("nothing leaves this machine")
        connect(sock, address)

    def peer_by_road(sock: socket.socket) -> Any:
        peer = getpeername(sock)
        return (by_road[sock], *peer[1:]) if sock in by_road else peer

    monkeypatch.setattr(socket.socket, "connect", connect_here)
    monkeypatch.setattr(socket.socket, "getpeername", peer_by_road)
    return network
