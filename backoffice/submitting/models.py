"""The table of forms that took effect, with their answers."""

from django.db import models
from django.db.models.functions import Now


class Submission(models.Model):
    """A form that took effect, with its answer, for when it is sent again.

    `user_id` and `nonce` are those of its one-time token; no foreign key, since users may delete their own account.
    `fingerprint` is a keyed hash of what was sent, `session` one of the session. `encrypted_answer` is a JSON object,
    see `backoffice.submitting.once`. Where it `is_page`, it can hold a secret that is shown once, and is soon emptied.
    """

    user_id = models.BigIntegerField()
    nonce = models.CharField(max_length=40)
    fingerprint = models.CharField(max_length=64)
    session = models.CharField(max_length=64)
    encrypted_answer = models.TextField(blank=True)
    is_page = models.BooleanField(default=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            # Also the index of the look-up at each form that is sent.
            models.UniqueConstraint(fields=["user_id", "nonce"], name="submission_once_a_token"),
        ]
        indexes = [models.Index(fields=["created_at"], name="submission_purge")]

    def __str__(self) -> str:
        return self.nonce
