"""URLs that would like to lead to where nothing may be sent.

`{port}` is that of a listener on every address of this machine. Sentences of Python's own (they differ between its
versions) are given by how they begin.
"""

CREDENTIALS = "The URL must not contain a user name or password; use a header instead."
CHARACTERS = "The URL must not contain spaces, control characters or backslashes."
SCHEME = "The URL must begin with https:// or http://."
HOST = "The URL must name a host."
UNREADABLE = "The URL cannot be read: "

# Numbers that inet_aton, and so many a resolver, takes for an IPv4 address.
_NUMBERS = (
    *("2130706433", "017700000001", "0x7f000001", "0X7F000001", "00000000000000000000000017700000001"),
    *("127.1", "127.0.1", "127.65535", "0x7f.1", "0177.1", "0177.0.0.1", "0x7f.0x0.0x0.0x1", "127.0.0.0x1"),
    *("127.0.0.01", "127.000.000.001", "0127.0.0.1", "0", "0.0", "00", "0x0", "0x", "127.0x"),
    *("2852039166", "0xa9fea9fe", "0xa9.0xfe.0xa9.0xfe", "0251.0376.0251.0376", "169.254.43518", "169.16689662"),
    *("425.510.425.510", "127.0.0.256", "127.0.0.1.1", "4294967296", "10.1", "192.168.257", "3232235777"),
)
REFUSED_AT_THE_FORM = [
    *((f"http://{number}:{{port}}/", f"{number.lower()} is not an IPv4 address.") for number in _NUMBERS),
    ("http://127.1.:{port}/", "127.1. is not an IPv4 address."),
    ("http://127.0.0.1..:{port}/", "127.0.0.1.. is not a valid host name."),
    ("http://.127.0.0.1:{port}/", ".127.0.0.1 is not a valid host name."),
    ("http://127..1:{port}/", "127..1 is not a valid host name."),
    ("http://0ｘ7f000001:{port}/", "0ｘ7f000001 is not an IPv4 address."),
    ("http://２１３０７０６４３３:{port}/", "２１３０７０６４３３ is not an IPv4 address."),
    ("http://127。1:{port}/", "127。1 is not an IPv4 address."),
    # Escapes in the host.
    ("http://%31%32%37.0.0.1:{port}/", "%31%32%37.0.0.1 is not a valid host name."),
    ("http://127%2e0%2e0%2e1:{port}/", "127%2e0%2e0%2e1 is not a valid host name."),
    ("http://127.0.0.1%2f.public.example:{port}/", "127.0.0.1%2f.public.example is not a valid host name."),
    ("http://127.0.0.1%00.public.example:{port}/", "127.0.0.1%00.public.example is not a valid host name."),
    ("http://public.example%40127.0.0.1:{port}/", "public.example%40127.0.0.1 is not a valid host name."),
    ("http://localhos%74:{port}/", "localhos%74 is not a valid host name."),
    # Names of users.
    ("http://public.example@127.0.0.1:{port}/", CREDENTIALS),
    ("http://public.example:80@127.0.0.1:{port}/", CREDENTIALS),
    ("http://127.0.0.1:{port}@public.example/", CREDENTIALS),
    ("http://@127.0.0.1:{port}/", CREDENTIALS),
    ("http://a@b@127.0.0.1:{port}/", CREDENTIALS),
    ("http://public.example;@127.0.0.1:{port}/", CREDENTIALS),
    ("http://public.example&@127.0.0.1:{port}#@public.example/", CREDENTIALS),
    # Backslashes, spaces and what cannot be seen.
    ("http://public.example\\@127.0.0.1:{port}/", CHARACTERS),
    ("http://127.0.0.1:{port}\\@public.example/", CHARACTERS),
    ("http:\\\\127.0.0.1:{port}\\", CHARACTERS),
    ("http://127.0.0.1:{port}/\r\nHost: public.example", CHARACTERS),
    ("http://127.0.0.1:{port}/ HTTP/1.1\r\nX: y", CHARACTERS),
    ("ht\ttp://127.0.0.1:{port}/", CHARACTERS),
    ("http://127.0.0.1\t:{port}/", CHARACTERS),
    ("http://127.0.0.1\n.public.example:{port}/", CHARACTERS),
    ("\x00http://127.0.0.1:{port}/", CHARACTERS),
    (" http://127.0.0.1:{port}/", CHARACTERS),
    ("http://127.0.0.1\u200b:{port}/", CHARACTERS),
    ("http://127.0.0\u00ad.1:{port}/", CHARACTERS),
    ("http://\u202e127.0.0.1:{port}/", CHARACTERS),
    ("http://127.0.0.1\u3000:{port}/", CHARACTERS),
    # Other schemes, and none.
    *(
        (f"{scheme}://127.0.0.1:{{port}}/", SCHEME)
        for scheme in ("file", "ftp", "gopher", "dict", "ldap", "ws", "unix", "http+unix", "tftp", "httpx", "h2c")
    ),
    ("file:///etc/passwd", SCHEME),
    ("file:/etc/passwd", SCHEME),
    ("url:http://127.0.0.1:{port}/", SCHEME),
    ("jar:http://127.0.0.1:{port}!/", SCHEME),
    ("//127.0.0.1:{port}/", SCHEME),
    ("127.0.0.1:{port}/", SCHEME),
    ("http:127.0.0.1:{port}/", HOST),
    ("http:/127.0.0.1:{port}/", HOST),
    ("http:///127.0.0.1:{port}/", HOST),
    ("http://?127.0.0.1:{port}/", HOST),
    ("http://#127.0.0.1:{port}/", HOST),
    # Scopes, brackets, and characters that become others.
    ("http://[fe80::1%25eth0]:{port}/", "fe80::1%25eth0 is not an IPv6 address."),
    ("http://[fe80::1%eth0]:{port}/", "fe80::1%eth0 is not an IPv6 address."),
    ("http://[::1%25lo]:{port}/", "::1%25lo is not an IPv6 address."),
    ("http://[::1%lo]:{port}/", "::1%lo is not an IPv6 address."),
    ("http://[::ffff:127.0.0.1%25lo]:{port}/", "::ffff:127.0.0.1%25lo is not an IPv6 address."),
    ("http://[::1:{port}/", UNREADABLE),
    ("http://::1]:{port}/", UNREADABLE),
    ("http://::1:{port}/", UNREADABLE),
    ("http://127.0.0.1:{port}:80/", UNREADABLE),
    ("http://127.0.0.1:+{port}/", UNREADABLE),
    ("http://127.0.0.1:８０/", UNREADABLE),
    ("http://public.example／@127.0.0.1:{port}/", UNREADABLE),
    ("http://127.0.0.1＃.public.example:{port}/", UNREADABLE),
    ("http://127.0.0.1：{port}/", UNREADABLE),
    ("http://127.0.0.1℀.public.example:{port}/", UNREADABLE),
]
# Python has read these in more than one way: they may be refused at the form as well.
READ_IN_MORE_THAN_ONE_WAY = [
    "http://[127.0.0.1]:{port}/",
    "http://[::ffff:127.1]:{port}/",
    "http://[::ffff:0x7f.1]:{port}/",
    "http://[::1].public.example:{port}/",
    "http://public.example[::1]:{port}/",
    "http://[::1]public.example:{port}/",
    "http://[v1.127.0.0.1]:{port}/",
    "http://[::１]:{port}/",
]
# What a person may type, the address that it comes to, and why it is refused.
BLOCKED_AT_THE_WIRE = [
    ("http://127.0.0.1:{port}/", "127.0.0.1", "loopback"),
    ("HTTP://127.0.0.1:{port}/", "127.0.0.1", "loopback"),
    ("hTtPs://127.0.0.1:{port}/", "127.0.0.1", "loopback"),
    ("http://127.0.0.1.:{port}/", "127.0.0.1", "loopback"),
    ("http://127.0.0.1:0{port}/", "127.0.0.1", "loopback"),
    ("http://127.0.0.1:{port}/#@public.example/", "127.0.0.1", "loopback"),
    ("http://127.0.0.1:{port}?@public.example/", "127.0.0.1", "loopback"),
    ("http://127.0.0.1:{port}/../%2e%2e//public.example/", "127.0.0.1", "loopback"),
    ("http://127。0。0。1:{port}/", "127.0.0.1", "loopback"),
    ("http://127｡0｡0｡1:{port}/", "127.0.0.1", "loopback"),
    ("http://127．0．0．1:{port}/", "127.0.0.1", "loopback"),
    ("http://１２７.０.０.１:{port}/", "127.0.0.1", "loopback"),
    ("http://①②⑦.⓪.⓪.①:{port}/", "127.0.0.1", "loopback"),
    ("http://𝟏𝟐𝟕.𝟎.𝟎.𝟏:{port}/", "127.0.0.1", "loopback"),
    ("http://１６９。２５４。１６９。２５４:{port}/", "169.254.169.254", "cloud metadata"),
    ("http://[0:0:0:0:0:0:0:1]:{port}/", "::1", "loopback"),
    ("http://[0000:0000:0000:0000:0000:0000:0000:0001]:{port}/", "::1", "loopback"),
    ("http://[::0.0.0.1]:{port}/", "::1", "loopback"),
    ("http://[0::0]:{port}/", "::", "unspecified"),
    ("http://[::FFFF:127.0.0.1]:{port}/", "::ffff:7f00:1", "IPv4-mapped"),
    ("http://[0:0:0:0:0:ffff:7F00:0001]:{port}/", "::ffff:7f00:1", "IPv4-mapped"),
    ("http://[::ffff:169.254.169.254]:{port}/", "::ffff:a9fe:a9fe", "IPv4-mapped"),
    ("http://[::ffff:0:127.0.0.1]:{port}/", "::ffff:0:7f00:1", "reserved"),
    ("http://[::127.0.0.1]:{port}/", "::7f00:1", "reserved"),
    ("http://[64:ff9b::127.0.0.1]:{port}/", "64:ff9b::7f00:1", "NAT64"),
    ("http://[64:ff9b::169.254.169.254]:{port}/", "64:ff9b::a9fe:a9fe", "NAT64"),
    ("http://[64:ff9b:1::10.0.0.1]:{port}/", "64:ff9b:1::a00:1", "NAT64"),
    ("http://[2002:a9fe:a9fe::1]:{port}/", "2002:a9fe:a9fe::1", "6to4"),
    ("http://[2001:0:4136:e378:8000:63bf:80ff:fffe]:{port}/", "2001:0:4136:e378:8000:63bf:80ff:fffe", "Teredo"),
    ("http://[fe80::5efe:127.0.0.1]:{port}/", "fe80::5efe:7f00:1", "link-local"),
    ("http://[FD00:EC2::254]:{port}/", "fd00:ec2::254", "cloud metadata"),
    ("http://[ff02::1]:{port}/", "ff02::1", "multicast"),
]
# Names that lead to a loopback address by the system's own resolver.
LOCAL_NAMES = ["localhost", "LOCALHOST", "localhost.", "ⓛⓞⓒⓐⓛⓗⓞⓢⓣ", "ｌｏｃａｌｈｏｓｔ", "loca\u2113host"]
# What comes after the host is no host: these lead to public.example and to nowhere else.
ONLY_PUBLIC = [
    "http://public.example#@127.0.0.1:{port}/",
    "http://public.example/@127.0.0.1:{port}/",
    "http://public.example?@127.0.0.1:{port}/",
    "http://public.example//127.0.0.1:{port}/",
    "http://public.example/%0d%0aHost:%20127.0.0.1:{port}",
    "http://PUBLIC.example.:80/http://127.0.0.1:{port}/",
]
