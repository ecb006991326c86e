import os

from django.core.wsgi import get_wsgi_application

from config.api.media_type import without_parameters

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

application = without_parameters(get_wsgi_application())
