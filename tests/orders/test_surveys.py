"""Surveys: who answered, and what becomes of it."""

from typing import Any

import pytest
from django.core.exceptions import ValidationError

from orders import services
from orders.models import Contact, Product, Survey, SurveyResponse
from orders.representations import ContactOut, ResponseOut, SurveyOut, time_text
from tests.orders.shop import Announcements, counts, item, place

pytestmark = pytest.mark.django_db
ANSWERS = {"channel": "A friend", "stars": 5, "again": None}


def complete(**members: Any) -> SurveyResponse:
    return services.complete_survey(**{"slug": "finding", "source": "shop", "answers": ANSWERS, **members})


def test_the_known_contact_of_an_email_is_announced_and_stays_as_it_is(
    lead: Contact, survey: Survey, announced: Announcements
) -> None:
    before = ContactOut.model_validate(lead)
    response = complete(email="ADA@example.com", source="funnel")
    kept = SurveyResponse.objects.get()
    assert (kept.contact, kept.order, kept.source, kept.answers) == (lead, None, "funnel", ANSWERS)
    assert ResponseOut.model_validate(response).model_dump() == {
        "id": kept.id,
        "email": "ADA@example.com",
        "answers": ANSWERS,
        "completed_at": time_text(kept.completed_at),
    }
    assert SurveyOut.model_validate(survey).model_dump() == {"slug": "finding", "title": "How did you find us?"}
    heard = announced.only("survey.completed")
    assert heard.in_transaction
    assert {name: heard.arguments[name] for name in ("response", "survey", "contact", "order", "source")} == {
        "response": response,
        "survey": survey,
        "contact": lead,
        "order": None,
        "source": "funnel",
    }
    assert ContactOut.model_validate(Contact.objects.get()) == before


def test_an_unknown_email_makes_no_contact(survey: Survey, announced: Announcements) -> None:
    response = complete(email="eve@example.com")
    assert (response.contact, response.email, response.source) == (None, "eve@example.com", "shop")
    assert counts()["Contact"] == 0
    assert announced.names == ["survey.completed"]
    assert announced.heard[0].arguments["contact"] is None


def test_with_an_order_contact_and_source_are_the_orders(
    lead: Contact, mug: Product, funnel: object, survey: Survey, announced: Announcements
) -> None:
    order = place(lead, item("mug"), source="funnel")
    response = complete(order=order.number, source="shop")
    assert (response.contact, response.order, response.source, response.email) == (lead, order, "funnel", None)
    heard = announced.only("survey.completed")
    assert (heard.arguments["source"], heard.arguments["order"], heard.arguments["contact"]) == (
        *("funnel", order, lead),
    )
    assert heard.order is not None and heard.order["number"] == order.number
    assert ResponseOut.model_validate(response).email is None


def test_answers_sent_twice_are_two_responses(survey: Survey, announced: Announcements) -> None:
    assert complete(email="eve@example.com").id != complete(email="eve@example.com").id
    assert announced.names == ["survey.completed", "survey.completed"]


@pytest.mark.parametrize(
    ("members", "field"),
    [
        ({}, "email"),
        ({"email": "eve@example.com", "order": "1001"}, "order"),
        ({"order": "999999"}, "order"),
        ({"order": "x"}, "order"),
    ],
)
def test_nobody_and_two_and_an_unknown_order_are_refused(
    members: dict[str, str], field: str, survey: Survey, announced: Announcements
) -> None:
    with pytest.raises(ValidationError) as refusal:
        complete(**members)
    assert list(refusal.value.message_dict) == [field]
    assert counts()["SurveyResponse"] == 0
    assert announced.names == []


def test_an_unknown_survey_is_not_found(survey: Survey, announced: Announcements) -> None:
    with pytest.raises(Survey.DoesNotExist):
        complete(slug="leaving", email="eve@example.com")
    assert (counts()["SurveyResponse"], announced.names) == (0, [])
