"""The network addresses that a channel may lead to.

Our own table, because the flags of Python's `ipaddress` are stale before 3.11.10 and call some translated addresses
public. Sources: the IANA special-purpose registries (RFC 6890 and its successors) and the IANA address space
registries; in IPv6 only `2000::/3` is handed out, so everything outside it is refused as a whole.
"""

import ipaddress
from collections.abc import Iterable

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# The first match names the range.
_REFUSED: list[tuple[Network, str]] = [
    (ipaddress.ip_network(network), name)
    for network, name in (
        ("0.0.0.0/8", "this host"),
        ("10.0.0.0/8", "private network"),
        ("100.64.0.0/10", "carrier-grade NAT"),
        ("127.0.0.0/8", "loopback"),
        ("168.63.129.16/32", "cloud metadata"),  # Azure's platform services, inside public space
        ("169.254.169.254/32", "cloud metadata"),
        ("169.254.0.0/16", "link-local"),
        ("172.16.0.0/12", "private network"),
        ("192.0.0.0/24", "protocol assignments"),
        ("192.0.2.0/24", "documentation"),
        ("192.88.99.0/24", "6to4 relay"),
        ("192.168.0.0/16", "private network"),
        ("198.18.0.0/15", "benchmarking"),
        ("198.51.100.0/24", "documentation"),
        ("203.0.113.0/24", "documentation"),
        ("224.0.0.0/4", "multicast"),
        ("255.255.255.255/32", "broadcast"),
        ("240.0.0.0/4", "reserved"),
        ("::/128", "unspecified"),
        ("::1/128", "loopback"),
        # These three carry an IPv4 address inside; an operator who needs one can name the IPv4 address itself.
        ("::ffff:0:0/96", "IPv4-mapped"),
        ("64:ff9b::/96", "NAT64"),
        ("64:ff9b:1::/48", "NAT64"),
        ("100::/64", "discard"),
        ("fd00:ec2::254/128", "cloud metadata"),
        ("fd20:ce::254/128", "cloud metadata"),
        ("fc00::/7", "private network"),
        ("fe80::/10", "link-local"),
        ("fec0::/10", "site-local"),
        ("ff00::/8", "multicast"),
        ("2001::/32", "Teredo"),
        ("2001:2::/48", "benchmarking"),
        ("2001::/23", "protocol assignments"),
        ("2001:db8::/32", "documentation"),
        ("2002::/16", "6to4"),
        ("3fff::/20", "documentation"),
    )
]
_HANDED_OUT = ipaddress.IPv6Network("2000::/3")


def refusal(address: Address, allowed: Iterable[Network] = ()) -> str | None:
    """The range that makes `address` unfit as a destination (`"loopback"`), or None if it may be called.

    `allowed` are networks that an operator lets through although they are not public.
    """
    if any(address in network for network in allowed):
        return None
    for network, name in _REFUSED:
        if address in network:
            return name
    if address.version == 6 and address not in _HANDED_OUT:
        return "reserved"
    return None
