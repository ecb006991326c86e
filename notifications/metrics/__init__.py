"""What each process counts, and how `/metrics` of any web process comes to speak of all of them.

`instruments` has what is counted, as prometheus-client's own counters and histograms. `reporting` adds what a process
has counted to its totals in PostgreSQL, once a second. `totals` reads them. `pool` measures the pool of connections.
`docs/metrics.md` lists every metric; decision 31 says why the totals are rows.
"""
