"""Where a server is, as far as its name tells."""

import ipaddress


def is_here(host: str) -> bool:
    """Whether `host` is this machine: a path of a socket, no name at all, or loopback."""
    if not host or host.startswith(("/", "@")) or host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
