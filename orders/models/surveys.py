"""Surveys and responses."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from typeid import TypeID

from orders.models.contacts import Contact
from orders.models.fields import Source
from orders.models.orders import Order


def new_response_id() -> str:
    return str(TypeID("rsp"))


class Survey(models.Model):
    """Questions that a shop or a funnel asks, known outside by its `slug`."""

    title = models.CharField(max_length=200)
    slug = models.SlugField(max_length=100, unique=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ["title"]

    def __str__(self) -> str:
        return self.title


class SurveyResponse(models.Model):
    """The answers to a survey, of a person with an e-mail address or of the buyer of an order."""

    id = models.CharField(primary_key=True, max_length=40, default=new_response_id, editable=False)
    survey = models.ForeignKey(Survey, on_delete=models.PROTECT, related_name="responses")
    email = models.EmailField(max_length=254, null=True, blank=True)  # noqa: DJ001 (null outside, too)
    order = models.ForeignKey(Order, null=True, blank=True, on_delete=models.PROTECT, related_name="survey_responses")
    contact = models.ForeignKey(
        Contact, null=True, blank=True, on_delete=models.PROTECT, related_name="survey_responses"
    )
    source = models.CharField(max_length=10, choices=Source)
    answers = models.JSONField()
    completed_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(email__isnull=False, order__isnull=True)
                | Q(email__isnull=True, order__isnull=False, contact__isnull=False),
                name="response_of_an_email_or_an_order",
            ),
            models.CheckConstraint(condition=Q(source__in=["admin", "shop", "funnel"]), name="response_source_known"),
        ]

    def __str__(self) -> str:
        return f"{self.survey} · {self.email or self.contact}"
