"""The admin of the installation is ours: `django.contrib.admin.site` is the AdminSite below."""

from __future__ import annotations

from django.contrib.admin.apps import AdminConfig


class SmsAdminConfig(AdminConfig):
    default_site = "campaigns.admin.site.SmsAdminSite"
