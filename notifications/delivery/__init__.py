"""The engine: claims due deliveries, sends them concurrently, records how it went.

`engine` runs the three steps; `claim`, `send` and `record` are the steps; `policy` says what is tried again and when;
`health` keeps failing channels from holding up the others, `count` adds up for the statistics; `chores` gives back what
dead workers held; `clock` calls the engine in each worker process.
"""
