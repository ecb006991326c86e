"""How gunicorn serves Tidings: `gunicorn --config python:config.web.gunicorn config.wsgi`.

The command line overrides what stands here.
"""

worker_class = "config.web.worker.BufferingWorker"
workers = 2
threads = 8
# Idle and slow connections cost memory and a file each, no thread; past this the slowest of them go.
worker_connections = 4000
# It is not used, and its path is the same for all copies that one user runs.
control_socket_disable = True
