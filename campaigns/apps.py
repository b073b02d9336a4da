"""The Django app of contacts, campaigns and the delivery log."""

from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class CampaignsConfig(AppConfig):
    name = "campaigns"
    verbose_name = _("SMS campaigns")

    def ready(self) -> None:
        from . import receivers  # noqa: F401  (connects the signals)
