"""Django apps of the installation itself: its checks, and the admin that replaces Django's own."""

from __future__ import annotations

from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig
from django.core import checks


class ConfigConfig(AppConfig):
    """Registers the checks of the installation's settings."""

    name = "config"

    def ready(self) -> None:
        from campaigns.durability import check_durability
        from campaigns.safety import check_unsafe_defaults
        from campaigns.sending.leases import check_leases

        checks.register(check_leases)
        checks.register(check_durability, checks.Tags.database)
        checks.register(check_unsafe_defaults, checks.Tags.security, deploy=True)


class SmsAdminConfig(AdminConfig):
    """`django.contrib.admin.site` is the AdminSite below."""

    default_site = "campaigns.admin_site.SmsAdminSite"
