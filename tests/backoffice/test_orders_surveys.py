"""Staff write surveys and look at responses."""

import pytest
from django.urls import reverse

from orders import services
from orders.models import Survey, SurveyResponse
from tests.backoffice.reading import text_of

pytestmark = pytest.mark.django_db


def test_a_survey_is_added_and_its_title_changed_but_not_its_slug(admin_client):
    admin_client.post("/admin/orders/survey/add/", {"title": "Why do you leave?", "slug": "leaving"})
    survey = Survey.objects.get()
    assert (survey.title, survey.slug) == ("Why do you leave?", "leaving")
    page = reverse("admin:orders_survey_change", args=[survey.pk])
    assert admin_client.post(page, {"title": "Why did you leave?", "slug": "left"}).status_code == 302
    survey.refresh_from_db()
    assert (survey.title, survey.slug) == ("Why did you leave?", "leaving")


def test_two_surveys_of_one_slug_are_refused(admin_client, survey):
    response = admin_client.post("/admin/orders/survey/add/", {"title": "Again", "slug": "finding"})
    assert response.status_code == 200
    assert Survey.objects.count() == 1


def test_responses_are_found_from_the_survey_and_shown_as_they_were_sent(admin_client, survey):
    answers = {"why": "<b>Bold</b> é", "stars": 5}
    for slug, title in (("finding", None), ("other", "Other")):
        if title:
            Survey.objects.create(slug=slug, title=title)
        services.complete_survey(slug=slug, source="shop", answers=answers, email=f"{slug}@example.com")
    link = f"/admin/orders/surveyresponse/?survey={survey.pk}"
    assert f'href="{link}"' in admin_client.get("/admin/orders/survey/").content.decode()
    shown = text_of(admin_client.get(link))
    assert "finding@example.com" in shown and "other@example.com" not in shown
    response = SurveyResponse.objects.get(survey=survey)
    page = admin_client.get(reverse("admin:orders_surveyresponse_change", args=[response.pk]))
    assert "&lt;b&gt;Bold&lt;/b&gt; é" in page.content.decode()
