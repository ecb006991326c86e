"""Surveys, and what people answered."""

import json
from collections.abc import Sequence

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from orders.admin.pages import CommerceAdmin, RecordAdmin, shown_time
from orders.models import Survey, SurveyResponse


@admin.register(Survey)
class SurveyAdmin(CommerceAdmin):
    fields = ("title", "slug")
    list_display = ("title", "slug", "responses", "created")
    search_fields = ("title", "slug")

    @admin.display(description="Responses")
    def responses(self, survey: Survey) -> SafeString:
        url = reverse("admin:orders_surveyresponse_changelist")
        return format_html('<a href="{}?survey__id__exact={}">Responses</a>', url, survey.pk)

    def get_readonly_fields(self, request: HttpRequest, obj: Survey | None = None) -> Sequence[str]:
        return ("slug",) if obj else ()


@admin.register(SurveyResponse)
class SurveyResponseAdmin(RecordAdmin):
    list_display = ("survey", "who", "source", "completed")
    list_filter = ("survey", "source", "completed_at")
    list_select_related = ("survey", "contact")
    search_fields = ("id__exact", "email", "contact__email", "order__number__exact")
    fields = readonly_fields = ("id", "survey", "email", "contact", "order", "source", "shown_answers", "completed_at")

    @admin.display(description="Who", ordering="email")
    def who(self, response: SurveyResponse) -> str:
        return response.email or str(response.contact)

    @admin.display(description="Completed", ordering="completed_at")
    def completed(self, response: SurveyResponse) -> str:
        return shown_time(response.completed_at)

    @admin.display(description="Answers")
    def shown_answers(self, response: SurveyResponse) -> SafeString:
        return format_html("<pre>{}</pre>", json.dumps(response.answers, ensure_ascii=False, indent=2))
