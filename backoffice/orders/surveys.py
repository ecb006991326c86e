"""Surveys, and what people answered."""

import json
from collections.abc import Sequence

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from backoffice.orders.commerce_admin import CommerceAdmin, Fact, RecordAdmin, link_to
from backoffice.orders.filters import Search, SurveyFilter, equals
from notifications.display import ago, moment
from orders.models import Source, Survey, SurveyResponse


@admin.register(Survey)
class SurveyAdmin(CommerceAdmin):
    fields = ("title", "slug")
    list_display = ("title", "slug", "responses", "created")
    search_fields = ("title", "slug")
    search_help_text = "Title or slug"
    nothing_yet = "No survey yet. Add one, then shops and funnels can send responses to its slug."

    @admin.display(description="Responses")
    def responses(self, survey: Survey) -> SafeString:
        url = reverse("admin:orders_surveyresponse_changelist")
        return format_html(
            '<a href="{}?survey={}">Responses<span class="ui-unseen"> to {}</span></a>', url, survey.pk, survey
        )

    def get_readonly_fields(self, request: HttpRequest, obj: Survey | None = None) -> Sequence[str]:
        return ("slug",) if obj else ()


@admin.register(SurveyResponse)
class SurveyResponseAdmin(RecordAdmin):
    list_display = ("who", "survey", "source_label", "completed")
    list_filter = (SurveyFilter, equals("source", "Source", Source.choices))
    list_select_related = ("survey", "contact")
    search = Search("Order number, name or e-mail of a contact, or response id", own_id="rsp_")
    nothing_yet = "No response yet. Shops and funnels send them through the API."

    @admin.display(description="Who")
    def who(self, response: SurveyResponse) -> str:
        return response.email or str(response.contact)

    @admin.display(description="Source")
    def source_label(self, response: SurveyResponse) -> str:
        return response.get_source_display()

    @admin.display(description="Completed")
    def completed(self, response: SurveyResponse) -> SafeString:
        return ago(response.completed_at)

    def facts(self, request: HttpRequest, record: SurveyResponse) -> Sequence[Fact]:
        answers = json.dumps(record.answers, ensure_ascii=False, indent=2)
        return [
            ("Survey", link_to(request, record.survey)),
            ("Contact", link_to(request, record.contact)),
            ("E-mail", record.email or "–"),
            ("Order", link_to(request, record.order)),
            ("Source", record.get_source_display()),
            ("Completed", moment(record.completed_at)),
            ("Id", record.pk),
            ("Answers", format_html('<pre class="ui-code" tabindex="0">{}</pre>', answers)),
        ]
