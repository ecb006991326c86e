from django.apps import AppConfig


class SubmittingConfig(AppConfig):
    name = "backoffice.submitting"
    label = "submitting"
