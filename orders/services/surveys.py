"""Recording the answers to surveys."""

from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction

from orders import signals
from orders.models import Order, Survey, SurveyResponse
from orders.services.contacts import with_email
from orders.services.lookups import get_order


def complete_survey(
    *, slug: str, source: str, answers: dict[str, Any], email: str | None = None, order: str | None = None
) -> SurveyResponse:
    """Record the answers to a survey, and announce them.

    They are of the buyer of `order` (its number), and then source and contact are the order's; or of the person with
    this `email`, and then the contact is the one known by it, or none: no contact is created or reactivated.

    Raises `Survey.DoesNotExist`, and `ValidationError` on `email` or `order` unless exactly one is given, or on
    `order` where there is none with this number.
    """
    with transaction.atomic():
        survey = Survey.objects.get(slug=slug)
        bought = _named_order(email=email, order=order)
        source = bought.source if bought else source
        contact = bought.contact if bought else with_email(str(email)).first()
        response = SurveyResponse.objects.create(
            survey=survey, email=email, order=bought, contact=contact, source=source, answers=answers
        )
        signals.survey_completed.send(
            sender=SurveyResponse, response=response, survey=survey, contact=contact, order=bought, source=source
        )
    return response


def _named_order(*, email: str | None, order: str | None) -> Order | None:
    if email is None and order is None:
        raise ValidationError({"email": ["Give an e-mail address, or an order."]})
    if order is None:
        return None
    if email is not None:
        raise ValidationError({"order": ["Give either an e-mail address or an order, not both."]})
    try:
        return get_order(number=order)
    except Order.DoesNotExist:
        raise ValidationError({"order": ["There is no order with this number."]}) from None
