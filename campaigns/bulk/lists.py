"""
The lists whose rows can be acted upon.

Each screen says here how its filters choose rows, so that a worker finds the rows that the operator saw, by the same
code.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from campaigns.models import BulkAction, User

#: Parameters of a list (as its address has them), and who looks at it -> its rows.
Rows = Callable[[Mapping[str, Any], User | None], QuerySet[Any]]
#: An action and a number -> ids of so many of its rows, those behind `action.cursor`, in an order of the list's own.
Walk = Callable[[BulkAction, int], list[int]]
_lists: dict[str, Rows] = {}
_walks: dict[str, Walk] = {}


class SelectionError(Exception):
    """The rows cannot be found any more; the message says why."""


def register_list(name: str, rows: Rows, walk: Walk | None = None) -> None:
    """
    Let the rows of this list be acted upon. `rows` raises SelectionError for filters that it does not know.

    `walk`: how all that filters match is gone through where going by id would be slow; rows never go, so that the one
    of the cursor is there.
    """
    _lists[name] = rows
    if walk is not None:
        _walks[name] = walk


def chosen(action: BulkAction) -> QuerySet[Any]:
    """The rows that the action is for and that still are there, by id. Raises SelectionError."""
    rows = _lists.get(action.list_name)
    if rows is None:
        raise SelectionError(_("The list “%(name)s” is not known.") % {"name": action.list_name})
    ids = action.selection.get("ids")
    found = rows(action.selection.get("filters") or {}, action.created_by)
    if ids is not None:
        found = found.filter(pk__in=ids)
    return found.filter(pk__lte=action.selection["up_to"]).order_by("pk")


def next_ids(action: BulkAction, size: int) -> list[int]:
    """The ids of the next rows behind the cursor; empty at the end. Raises SelectionError."""
    walk = _walks.get(action.list_name)
    if walk is not None and "ids" not in action.selection:
        return walk(action, size)
    return list(chosen(action).filter(pk__gt=action.cursor).values_list("pk", flat=True)[:size])
