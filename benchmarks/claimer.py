"""`python -m benchmarks.claimer`: claims and records until nothing is pending, but sends nothing.

Begins when a line comes in; prints how many it has claimed.
"""

import sys

import django


def work() -> int:
    from channels_app.transports import Answer, Outcome
    from notifications.delivery.claim import claim
    from notifications.delivery.marks import Marks
    from notifications.delivery.record import record
    from notifications.delivery.send import Result
    from notifications.models import Delivery

    answer = Answer(Outcome.SUCCEEDED, status_code=200)
    done, marks = 0, Marks()
    while True:
        claims = claim(slots=64, slowed_slots=0, marks=marks)
        record([Result(each, answer, 1) for each in claims])
        done += len(claims)
        if not claims:
            marks.demand_whole_look()
            if not Delivery.objects.filter(status="pending").exists():
                return done


if __name__ == "__main__":
    django.setup()
    print("ready", flush=True)
    sys.stdin.readline()
    print(work(), flush=True)
