"""The table of requests for new passwords."""

from django.db import models
from django.db.models.functions import Now


class ResetRequest(models.Model):
    """A request for a link to set a new password, for an address that need not belong to a user.

    The page writes it for any address; a worker looks for the user and sends. `email` is there until then, and empty
    afterwards. The row counts for a day, by address and by client, against the limits of requests.
    """

    email = models.CharField(max_length=320, blank=True)
    # A keyed hash of how the address is compared.
    address_key = models.CharField(max_length=64)
    client = models.GenericIPAddressField(null=True, blank=True)
    requested_at = models.DateTimeField(db_default=Now())
    # How often a worker has begun with it, and when the next may.
    tries = models.PositiveSmallIntegerField(db_default=0)
    due_at = models.DateTimeField(db_default=Now())

    class Meta:
        default_permissions = ()
        indexes = [
            # How many were there for an address, and from a client, within an hour.
            models.Index("address_key", "requested_at", name="reset_by_address"),
            models.Index("client", "requested_at", name="reset_by_client"),
            # What is still to be sent.
            models.Index("due_at", condition=~models.Q(email=""), name="reset_waiting"),
        ]

    def __str__(self) -> str:
        return f"Reset request {self.pk}"
