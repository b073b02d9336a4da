"""Who works here: users with their time zone and language, and the groups that carry permissions."""

from __future__ import annotations

import zoneinfo
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group
from django.db.models import Count, Field, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from campaigns.models import User

from .base import BaseAdmin


def time_zone_choices() -> list[tuple[str, Any]]:
    """All zones of the IANA database that name a place, and none."""
    places = sorted(name for name in zoneinfo.available_timezones() if "/" in name and not name.startswith("Etc/"))
    return [("", _("the installation's")), *((name, name.replace("_", " ")) for name in ["UTC", *places])]


@admin.register(User)
class SmsUserAdmin(UserAdmin, BaseAdmin):  # type: ignore[type-arg]
    """Django's own page for users, and how dates and words are shown to them."""

    list_display = ("username", "first_name", "last_name", "is_staff", "is_active", "time_zone", "last_login")
    empty_text = _("There are no users.")
    fieldsets = (
        *(UserAdmin.fieldsets or ())[:2],
        (_("How the admin is shown"), {"fields": ("time_zone", "language")}),
        *(UserAdmin.fieldsets or ())[2:],
    )

    def formfield_for_dbfield(self, db_field: Field[Any, Any], request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "time_zone":
            kwargs["widget"] = forms.Select(choices=time_zone_choices())
        return super().formfield_for_dbfield(db_field, request, **kwargs)


admin.site.unregister(Group)


@admin.register(Group)
class SmsGroupAdmin(GroupAdmin, BaseAdmin):
    """What the members of a group may do."""

    list_display = ("name", "member_count")
    empty_text = _("There are no groups of permissions yet.")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Group]:
        return super().get_queryset(request).annotate(members=Count("user"))

    @admin.display(description=_("members"), ordering="members")
    def member_count(self, group: Any) -> int:
        return int(group.members)
