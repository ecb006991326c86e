"""`python -m tests.faults.worker`, in the place of `python -m celery`: its leases end soon after the time-out.

The margin of the product, half a minute, is too long to wait for in a test. Everything else is as it is.
"""

import sys

import django

MARGIN_SECONDS = 2

if __name__ == "__main__":
    django.setup()

    from celery.__main__ import main

    from notifications.delivery import claim

    claim.LEASE_MARGIN_SECONDS = MARGIN_SECONDS
    sys.argv[0] = "celery"
    main()
