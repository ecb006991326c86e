"""`python -m tests.faults.claimers COUNT`: so many processes that deliver at once, until nothing is pending.

Each has an engine of its own, as a worker has. Prints how many attempts each of them has recorded.
"""

import multiprocessing
import sys

import django


def deliver(together, recorded) -> None:
    from notifications.delivery.engine import Engine
    from notifications.models import Delivery

    engine, count = Engine(), 0
    together.wait()
    while Delivery.objects.filter(status="pending").exists():
        count += engine.deliver_due()
    recorded.put(count)


def main(count: int) -> None:
    from notifications import notices

    notices.warm_up()  # as a worker does at its start
    forking = multiprocessing.get_context("fork")  # Django has been started once for all of them
    together, recorded = forking.Barrier(count), forking.SimpleQueue()
    claimers = [forking.Process(target=deliver, args=(together, recorded), daemon=True) for _ in range(count)]
    for claimer in claimers:
        claimer.start()
    print(*(recorded.get() for _ in claimers))


if __name__ == "__main__":
    django.setup()
    main(int(sys.argv[1]))
