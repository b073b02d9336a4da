"""Who works here: users with their time zone and language, and the groups that carry permissions."""

from __future__ import annotations

import zoneinfo
from http import HTTPStatus
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.forms import AdminPasswordChangeForm, SetUnusablePasswordMixin
from django.contrib.auth.models import Group, Permission
from django.db import transaction
from django.db.models import Count, Field, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from campaigns import audit
from campaigns.models import AuditEvent, User
from campaigns.permission_names import permission_words, role_words

from .base import BaseAdmin, acting_user
from .changes import changes_of


def time_zone_choices() -> list[tuple[str, Any]]:
    """All zones of the IANA database that name a place, and none."""
    places = sorted(name for name in zoneinfo.available_timezones() if "/" in name and not name.startswith("Etc/"))
    return [("", _("the installation's")), *((name, name.replace("_", " ")) for name in ["UTC", *places])]


class PasswordForm(AdminPasswordChangeForm):  # type: ignore[type-arg]
    """Django's form, whose help is otherwise in the language in which the process was started."""

    usable_password_help_text = format_lazy(  # type: ignore[assignment]
        '{}<ul id="id_unusable_warning" class="messagelist"><li class="warning">{}</li></ul>',
        SetUnusablePasswordMixin.usable_password_help_text,
        _("If disabled, the current password for this user will be lost."),
    )


_WORDS: dict[type[Any], Any] = {Permission: permission_words, Group: role_words}


class PermissionNamesMixin:
    """A choice of permissions and roles by names in the reader's language."""

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_manytomany(db_field, request, **kwargs)  # type: ignore[misc]
        if field is not None and db_field.related_model in _WORDS:
            field.label_from_instance = _WORDS[db_field.related_model]
        return field


class RoleFilter(admin.RelatedFieldListFilter):
    """The roles by the same names."""

    def field_choices(self, field: Any, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [(str(group.pk), role_words(group)) for group in Group.objects.order_by("name")]


@admin.register(User)
class SmsUserAdmin(PermissionNamesMixin, UserAdmin, BaseAdmin):  # type: ignore[type-arg]
    """Django's own page for users, and how dates and words are shown to them."""

    change_password_form = PasswordForm
    list_display = ("username", "first_name", "last_name", "is_staff", "is_active", "time_zone", "last_login")
    list_filter = ("is_staff", "is_superuser", "is_active", ("groups", RoleFilter))
    empty_text = _("There are no users.")
    fieldsets = (
        *(UserAdmin.fieldsets or ())[:2],
        (_("How the admin is shown"), {"fields": ("time_zone", "language")}),
        *(UserAdmin.fieldsets or ())[2:],
    )

    actions = None

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Permissions come from groups, and superusers are made by superusers."""
        fields = super().get_readonly_fields(request, obj)
        return fields if request.user.is_superuser else (*fields, "is_superuser", "user_permissions")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        may = super().has_change_permission(request, obj)
        return may and (obj is None or not obj.is_superuser or request.user.is_superuser)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whoever has done something stays, as “not active”."""
        may = super().has_delete_permission(request, obj)
        return may and (obj is None or not (obj.is_superuser or AuditEvent.objects.filter(actor=obj).exists()))

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """After the groups are saved as well."""
        with transaction.atomic():
            super().save_related(request, form, formsets, change)
            if form.changed_data or not change:
                action, name = "change_user" if change else "create_user", form.instance.get_username()
                audit.record(action, actor=acting_user(request), subject=name, changes=changes_of(form))

    def delete_model(self, request: HttpRequest, obj: User) -> None:
        with transaction.atomic():
            audit.record("delete_user", actor=acting_user(request), subject=obj.get_username())
            super().delete_model(request, obj)

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:
        with transaction.atomic():
            response = super().user_change_password(request, id, form_url)
            if request.method == "POST" and response.status_code == HTTPStatus.FOUND:
                user = User.objects.get(pk=unquote(id))
                audit.record("change_password", actor=acting_user(request), subject=user.get_username())
        return response

    def formfield_for_dbfield(self, db_field: Field[Any, Any], request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "time_zone":
            kwargs["widget"] = forms.Select(choices=time_zone_choices())
        return super().formfield_for_dbfield(db_field, request, **kwargs)


admin.site.unregister(Group)


@admin.register(Group)
class SmsGroupAdmin(PermissionNamesMixin, GroupAdmin, BaseAdmin):
    """What the members of a group may do."""

    list_display = ("role", "member_count")
    actions = None
    empty_text = _("There are no groups of permissions yet.")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Group]:
        return super().get_queryset(request).annotate(members=Count("user"))

    @admin.display(description=_("name"), ordering="name")
    def role(self, group: Group) -> str:
        return role_words(group)

    @admin.display(description=_("members"), ordering="members")
    def member_count(self, group: Any) -> int:
        return int(group.members)

    def save_model(self, request: HttpRequest, obj: Group, form: Any, change: bool) -> None:
        with transaction.atomic():
            super().save_model(request, obj, form, change)
            action = "change_role" if change else "create_role"
            audit.record(action, actor=acting_user(request), subject=obj.name, changes=changes_of(form))

    def delete_model(self, request: HttpRequest, obj: Group) -> None:
        with transaction.atomic():
            audit.record("delete_role", actor=acting_user(request), subject=obj.name)
            super().delete_model(request, obj)
