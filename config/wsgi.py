"""WSGI entry point. Refuses to serve with default secrets when DEBUG is off."""

from __future__ import annotations

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
application = get_wsgi_application()

from campaigns.safety import refuse_unsafe_defaults  # noqa: E402 - settings must be named first

refuse_unsafe_defaults()
