from django.apps import AppConfig


class SubmittingConfig(AppConfig):
    name = "config.submitting"
    label = "submitting"
