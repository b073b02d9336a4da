"""The admin site of the product."""

from __future__ import annotations

from django.contrib import admin


class SmsAdminSite(admin.AdminSite):
    """The stock admin with the product's navigation."""
