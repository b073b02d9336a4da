"""Times in lists and on pages that are only read, shown as everywhere: with the zone, and how far from now they are."""

from __future__ import annotations

from typing import Any

from django.contrib.admin import AdminSite
from django.db.models import DateTimeField, Model
from django.http import HttpRequest

from .display import time_column


class TimesMixin:
    """Puts `time_column()` in the place of the names of time fields, wherever they are only shown."""

    def __init__(self, model: type[Model], admin_site: AdminSite) -> None:
        columns = {
            field.name: time_column(field.name, field.verbose_name)
            for field in model._meta.fields
            if isinstance(field, DateTimeField)
        }
        own: Any = self
        own.list_display = _replaced(own.list_display, columns)
        shown = {name: column for name, column in columns.items() if name in own.readonly_fields}
        own.readonly_fields = _replaced(own.readonly_fields, shown)
        if own.fields:
            own.fields = _replaced(own.fields, shown)
        if own.fieldsets:
            own.fieldsets = _with_columns(own.fieldsets, shown)
        self._time_columns = columns
        super().__init__(model, admin_site)  # type: ignore[call-arg]

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        own: Any = self
        fieldsets = super().get_fieldsets(request, obj)  # type: ignore[misc]
        if obj is None or own.has_change_permission(request, obj):
            return fieldsets
        return _with_columns(fieldsets, self._time_columns)


def _with_columns(fieldsets: Any, columns: dict[str, Any]) -> tuple[Any, ...]:
    return tuple((title, {**options, "fields": _replaced(options["fields"], columns)}) for title, options in fieldsets)


def _replaced(names: Any, columns: dict[str, Any]) -> tuple[Any, ...]:
    """Names of fields, also those that stand side by side, with columns for some of them."""
    return tuple(
        _replaced(name, columns) if isinstance(name, list | tuple) else columns.get(name, name) for name in names
    )
