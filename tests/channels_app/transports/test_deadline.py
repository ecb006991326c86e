"""What our sockets do beyond what their users see."""

import gc
import socket
import ssl
import struct
import warnings

import pytest

from channels_app.transports.net.deadline import DeadlineSocket, Exchange
from channels_app.transports.net.tls import tls_context
from tests.waiting import wait_until


def has_been_reset(sock: socket.socket) -> bool:
    try:
        sock.getpeername()
    except OSError:
        return True
    return False


@pytest.mark.parametrize("ended", [False, True], ids=["reset", "ended and reset"])
def test_a_connection_that_is_reset_before_tls_begins_is_closed(ended: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        sock = DeadlineSocket(Exchange(10), socket.AF_INET)
        sock.connect(listener.getsockname())
        accepted, _ = listener.accept()
        if ended:
            accepted.shutdown(socket.SHUT_WR)
        accepted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        accepted.close()
        wait_until(lambda: has_been_reset(sock))
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            with pytest.raises(OSError) as raised:
                tls_context("").wrap_socket(sock, server_hostname="mail.example.com")
            assert not isinstance(raised.value, ssl.SSLError)
            del raised
            gc.collect()

    assert [str(each.message) for each in warned] == []
