"""The event type of surveys."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, Field

from channels_app.transports import Notice
from notifications.events import samples
from notifications.events.base import EventType
from notifications.events.words import sections
from notifications.events.words.occurrence import Occurrence
from notifications.events.words.phrases import named, sentence
from orders import signals
from orders.models import Contact, Order, Survey, SurveyResponse
from orders.representations import ContactOut, OrderOut, ResponseOut, SurveyOut


class SurveyData(BaseModel):
    """`survey.completed`. `contact` is null where the e-mail address is not known, `order` where none was named."""

    survey: SurveyOut
    response: ResponseOut
    contact: Annotated[ContactOut | None, Field(description="Who answered; null where nobody has this address.")]
    order: Annotated[OrderOut | None, Field(description="The order that was named; null where none was.")]


def _completed(event: Occurrence) -> Notice:
    survey, response = event.data.object("survey"), event.data.object("response")
    name, about = named(survey, "a survey"), f"after {event.order_name}" if event.order else ""
    return event.notice(
        title=f"Survey completed: {name} ({event.who})",
        paragraphs=(sentence(event.somebody, "answered", f"the survey {name}" if survey else name, about),),
        sections=(
            sections.answers(response),
            sections.survey(survey, response),
            sections.contact(event.contact),
            sections.order(event.order),
        ),
    )


def _sample(now: datetime) -> dict[str, Any]:
    order = samples.order(now)
    response = SurveyResponse(
        order=order, contact=order.contact, source=order.source, answers={"rating": 5}, completed_at=now
    )
    survey = Survey(slug="sample-survey", title="Sample survey")
    return {"survey": survey, "response": response, "contact": order.contact, "order": order}


COMPLETED = EventType(
    key="survey.completed",
    label="Survey completed",
    description="A survey is finished.",
    signal=signals.survey_completed,
    facts={"survey": Survey, "response": SurveyResponse, "contact": Contact, "order": Order},
    data=SurveyData,
    sample=_sample,
    words=_completed,
    postback_only=True,
)
