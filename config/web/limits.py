"""The limit of a request, known without Django and without gunicorn."""

# Of a body in bytes. A contact with as many tags as it may have, each as long as it may be, all in emoji, takes 300 KiB
# as a form; to read a form takes a hundred times its size. The API takes less: see `api.problems`.
LONGEST_BODY = 512 * 1024
