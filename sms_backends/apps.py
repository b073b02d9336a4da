"""The Django app that talks to providers."""

from __future__ import annotations

from django.apps import AppConfig
from django.core import checks


class SmsBackendsConfig(AppConfig):
    name = "sms_backends"

    def ready(self) -> None:
        from .checks import check_gateways, check_guards

        checks.register(check_gateways)
        checks.register(check_guards)
