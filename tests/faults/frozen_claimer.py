"""`python -m tests.faults.frozen_claimer`: claims, and stops itself as SIGSTOP does, before it reads the answer."""

import os
import signal

import django
import psycopg


def main() -> None:
    from django.db import connection

    from notifications.delivery import claim

    wait, claiming = psycopg.Connection.wait, False

    def stop_before_reading(self, generator, *arguments, **options):
        if claiming:
            next(generator)  # sends the statement
            os.kill(os.getpid(), signal.SIGSTOP)
        return wait(self, generator, *arguments, **options)

    def notice(execute, sql, params, many, context):
        nonlocal claiming
        claiming = sql == claim.CLAIM
        return execute(sql, params, many, context)

    setattr(psycopg.Connection, "wait", stop_before_reading)  # noqa: B010
    with connection.execute_wrapper(notice):
        claim.claim(slots=64, slowed_slots=64)


if __name__ == "__main__":
    django.setup()
    main()
