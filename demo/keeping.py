"""What the demo keeps of what reaches it from outside: any text, and only the newest."""

from django.db import models


def storable(value: str, longest: int | None = None) -> str:
    """What PostgreSQL can keep: no NUL and no half characters, which anybody may send."""
    return value.encode(errors="replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")[:longest]


def forget_oldest(model: type[models.Model], *, kept: int) -> None:
    """Delete all rows but the first `kept` in the order of the model."""
    too_many = list(model._default_manager.values_list("pk", flat=True)[kept : 2 * kept])
    if too_many:
        model._default_manager.filter(pk__in=too_many).delete()
