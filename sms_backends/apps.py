"""The Django app that talks to providers."""

from __future__ import annotations

from django.apps import AppConfig


class SmsBackendsConfig(AppConfig):
    name = "sms_backends"
