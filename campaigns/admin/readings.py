"""How files were read that came before: what each column is, by what the columns are called."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from campaigns import audit
from campaigns.importing.encodings import ENCODINGS
from campaigns.models import ImportSource

from .base import BaseAdmin, acting_user
from .display import NOTHING, count, moment
from .import_forms import use_choices


@admin.register(ImportSource)
class ImportSourceAdmin(BaseAdmin):
    """Remembered readings, the last used first. One that is forgotten is made anew by the next such file."""

    list_display = ("file_name", "used", "columns", "encoding", "region")
    list_display_links = None
    ordering = ("-used_at",)
    search_fields = ("file_name",)
    search_help_text = _("A part of the file name.")
    sortable_by = ()
    actions = ("forget",)
    empty_text = _(
        "Nothing is remembered yet. When you say what the columns of a file are, the next file with the same columns "
        "is read in the same way."
    )

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("campaigns.import_contact")

    def has_forget_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.display(description=_("used"))
    def used(self, source: ImportSource) -> str | SafeString:
        return moment(source.used_at)

    @admin.display(description=_("columns"))
    def columns(self, source: ImportSource) -> str | SafeString:
        words = dict(use_choices())
        said = [(words.get(use["use"], use["use"]), use.get("name", "")) for use in source.reading.get("columns", [])]
        shown = ((f"{what}: {name}" if name else what,) for what, name in said)
        return format_html("<ol>{}</ol>", format_html_join("", "<li>{}</li>", shown)) if said else NOTHING

    @admin.display(description=_("encoding"))
    def encoding(self, source: ImportSource) -> str:
        name = source.reading.get("encoding", "")
        return str(ENCODINGS.get(name, name))

    @admin.action(description=_("Forget"), permissions=["forget"])
    def forget(self, request: HttpRequest, queryset: QuerySet[ImportSource]) -> None:
        """The next file with such columns is read as it seems to be."""
        names = list(queryset.values_list("file_name", flat=True))
        with transaction.atomic():
            queryset.delete()
            for name in names:
                audit.record("forget_reading", actor=acting_user(request), subject=name)
        self.message_user(
            request,
            ngettext(
                "%(count)s reading is forgotten. The next file with such columns is read as it seems to be.",
                "%(count)s readings are forgotten. The next files with such columns are read as they seem to be.",
                len(names),
            )
            % {"count": count(len(names))},
            messages.SUCCESS,
        )

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        actions: dict[str, Any] = super().get_actions(request)
        actions.pop("delete_selected", None)
        return actions
