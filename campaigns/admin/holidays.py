"""Holidays: days on which campaigns that skip them write to nobody, in one country or everywhere."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from campaigns import audit
from campaigns.forms import HolidayForm
from campaigns.models import Holiday

from .base import BaseAdmin, acting_user


@admin.register(Holiday)
class HolidayAdmin(BaseAdmin):
    """They count from the next portion on, also for campaigns that are being sent."""

    form = HolidayForm
    list_display = ("date", "country", "name")
    list_filter = ("country",)
    search_fields = ("name",)
    fields = ("date", "country", "name")
    empty_text = _("No holidays are listed. Add those on which nobody should get a text.")

    def save_model(self, request: HttpRequest, obj: Holiday, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        audit.record("holiday_listed", actor=acting_user(request), subject=str(obj))

    def delete_model(self, request: HttpRequest, obj: Holiday) -> None:
        audit.record("holiday_removed", actor=acting_user(request), subject=str(obj))
        super().delete_model(request, obj)
