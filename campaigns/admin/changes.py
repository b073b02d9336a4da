"""What a form changes, before and after, for the audit trail."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, time
from decimal import Decimal
from typing import Any

from django.db.models import Model, QuerySet

#: Longer values are cut: the trail says what was changed, it is no backup.
LONGEST = 2000
#: Never written down, not even that they were this or that.
SECRET = frozenset({"password", "password1", "password2", "usable_password", "version", "nonce"})


def changes_of(form: Any, *, only: Iterable[str] | None = None) -> dict[Any, tuple[Any, Any]]:
    """By label, what each changed field of a valid form was and is."""
    wanted = set(form.changed_data) - SECRET
    if only is not None:
        wanted &= set(only)
    changes = {}
    for name in form.changed_data:
        if name in wanted and name in form.fields:
            pair = plain(_before(form, name)), plain(form.cleaned_data.get(name))
            if pair[0] != pair[1]:
                changes[form.fields[name].label or name] = pair
    return changes


def _before(form: Any, name: str) -> Any:
    before = form.get_initial_for_field(form.fields[name], name)
    if isinstance(before, list | tuple) and before and not isinstance(before[0], Model):
        queryset = getattr(form.fields[name], "queryset", None)
        if queryset is not None:  # ids of what a list of choices shows
            return list(queryset.model._default_manager.filter(pk__in=before))
    queryset = getattr(form.fields[name], "queryset", None)
    if queryset is not None and isinstance(before, int):
        return queryset.model._default_manager.filter(pk=before).first()
    return before


def plain(value: Any) -> Any:
    """A value as it can be stored and read again by people."""
    if isinstance(value, QuerySet | list | tuple | set | frozenset):
        return sorted(str(plain(one)) for one in value)
    if isinstance(value, dict):
        return {str(name): plain(one) for name, one in value.items()}
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    return str(getattr(value, "as_e164", value))[:LONGEST]
