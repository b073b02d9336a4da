"""Holidays: days on which campaigns that skip them write to nobody, in one country or everywhere."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from campaigns import audit
from campaigns.forms import HolidayForm
from campaigns.models import Holiday

from .base import BaseAdmin, acting_user
from .changes import changes_of


class CountryFilter(admin.AllValuesFieldListFilter):
    """With words for those that hold in every country."""

    def choices(self, changelist: Any) -> Iterator[Any]:
        for choice in super().choices(changelist):
            yield {**choice, "display": choice["display"] or _("everywhere")}


@admin.register(Holiday)
class HolidayAdmin(BaseAdmin):
    """They count from the next portion on, also for campaigns that are being sent."""

    form = HolidayForm
    list_display = ("date", "country", "name")
    list_filter = (("country", CountryFilter),)
    search_fields = ("name",)
    fields = ("date", "country", "name")
    empty_text = _("No holidays are listed. Add those on which nobody should get a text.")

    def save_model(self, request: HttpRequest, obj: Holiday, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        audit.record("holiday_listed", actor=acting_user(request), subject=str(obj), changes=changes_of(form))

    def delete_model(self, request: HttpRequest, obj: Holiday) -> None:
        audit.record("holiday_removed", actor=acting_user(request), subject=str(obj))
        super().delete_model(request, obj)
