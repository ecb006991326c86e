"""A name server (RFC 1035) on loopback that changes its mind, and the few lines of a resolver that ask it.

The system's own resolver asks port 53 of the servers of a file that belongs to root. So a test gives this one to
`Lookups` in its place: it takes the name from the wire on, and nothing between it and the transport remembers.
"""

import contextlib
import ipaddress
import itertools
import socket
import struct
import threading
from typing import Any, Self

_HEADER, _RECORD = struct.Struct(">HHHHHH"), struct.Struct(">HHHIH")
_TYPE_A, _CLASS_IN, _NO_SUCH_NAME = 1, 1, 3
_ids = itertools.count(1)


class NameServer:
    """Gives these answers (IPv4 addresses) one after the other, the last for ever, to be kept for 0 s.

    An empty answer says that there is no such name. `asked` are the names of the questions.
    """

    def __init__(self, *answers: list[str]) -> None:
        self._answers = answers
        self.asked: list[str] = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._address = self._socket.getsockname()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._socket.sendto(b"", self._address)  # an empty datagram ends it
        self._thread.join(10)
        self._socket.close()

    def getaddrinfo(self, host: str, port: int, **_: object) -> list[Any]:
        """Ask for `host` over UDP; to be used like the function of `socket`."""
        number = next(_ids)
        labels = b"".join(bytes([len(label)]) + label.encode("ascii") for label in host.split("."))
        question = labels + b"\0" + struct.pack(">HH", _TYPE_A, _CLASS_IN)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.settimeout(10)
            asking.sendto(_HEADER.pack(number, 0x0100, 1, 0, 0, 0) + question, self._address)
            answer = asking.recv(512)
        answered, flags, _, records, _, _ = _HEADER.unpack_from(answer)
        assert answered == number
        if flags & 0xF == _NO_SUCH_NAME:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        size = _RECORD.size + 4
        begin = _HEADER.size + len(question)
        ends = [begin + size * (index + 1) for index in range(records)]
        addresses = [str(ipaddress.IPv4Address(answer[end - 4 : end])) for end in ends]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    def _serve(self) -> None:
        while True:
            data, asker = self._socket.recvfrom(512)
            if not data:
                return
            number, question = _HEADER.unpack_from(data)[0], data[_HEADER.size :]
            addresses = self._answers[min(len(self.asked), len(self._answers) - 1)]
            self.asked.append(_name(question))
            flags = 0x8180 | (0 if addresses else _NO_SUCH_NAME)
            records = [
                _RECORD.pack(0xC00C, _TYPE_A, _CLASS_IN, 0, 4) + ipaddress.IPv4Address(address).packed
                for address in addresses
            ]
            reply = _HEADER.pack(number, flags, 1, len(records), 0, 0) + question + b"".join(records)
            self._socket.sendto(reply, asker)


def _name(question: bytes) -> str:
    labels, place = [], 0
    while question[place]:
        labels.append(question[place + 1 : place + 1 + question[place]].decode("ascii"))
        place += 1 + question[place]
    return ".".join(labels)
