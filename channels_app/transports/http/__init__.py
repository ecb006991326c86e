"""HTTP/1.1 as a client of receivers speaks it: one request, one answer, within a deadline and bounded memory.

`adapter` is what `requests` sees; `pool` keeps connections by channel, `opening` makes them, by way of `proxies` and
`layered` where there is an egress proxy; `connection` sends and receives over one; `reading`, `head` and `body` make an
answer of the bytes that come, and know nothing of sockets; `statuses` and `faults` put what came of it in words.
"""
