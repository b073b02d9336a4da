"""A list that is browsed by key: one query for a page at any depth, without COUNT and OFFSET."""

from __future__ import annotations

from typing import Any, Literal

from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.core.paginator import Paginator
from django.db.models import Expression, QuerySet
from django.http import HttpRequest

BEFORE = "before"
AFTER = "after"


class KeysetChangeList(ChangeList):
    """
    Newest first. `?before=ID` is the page of older rows, `?after=ID` the one of newer rows.

    `older` and `newer` are the query strings of the neighbouring pages, empty where there is none.
    """

    older = ""
    newer = ""
    #: Whether rows can be ticked for actions.
    with_actions = False

    def get_filters_params(self, params: Any = None) -> dict[str, Any]:
        lookups = super().get_filters_params(params)
        return {name: value for name, value in lookups.items() if name not in {BEFORE, AFTER}}

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[str | Expression]:
        return ["-pk"]

    def get_ordering_field_columns(self) -> dict[int, Literal["asc", "desc"]]:
        return {}

    def get_results(self, request: HttpRequest) -> None:
        before, after = _key(self.params.get(BEFORE)), _key(self.params.get(AFTER))
        size = self.list_per_page
        if after is not None:
            rows = list(self.queryset.filter(pk__gt=after).order_by("pk")[: size + 1])
            has_newer, has_older = len(rows) > size, True
            rows = rows[:size][::-1]
        else:
            page = self.queryset if before is None else self.queryset.filter(pk__lt=before)
            rows = list(page[: size + 1])
            has_newer, has_older = before is not None, len(rows) > size
            rows = rows[:size]
        self._set_results(rows)
        if rows and has_older:
            self.older = self.get_query_string({BEFORE: rows[-1].pk}, [AFTER])
        if rows and has_newer:
            self.newer = self.get_query_string({AFTER: rows[0].pk}, [BEFORE])
        elif not rows and (before or after):
            self.newer = self.get_query_string(remove=[BEFORE, AFTER])

    def _set_results(self, rows: list[Any]) -> None:
        self.result_list = rows
        self.result_count = len(rows)
        self.full_result_count = len(rows)  # what was counted is not shown
        self.show_full_result_count = False
        self.show_admin_actions = self.with_actions and bool(rows)
        self.can_show_all = False
        self.multi_page = False
        self.paginator = Paginator(rows, max(len(rows), 1))


class ActionsKeysetChangeList(KeysetChangeList):
    """Browsed by key, with actions for the ticked rows or for everything that the filters match."""

    with_actions = True


def _key(value: str | None) -> int | None:
    if not value:
        return None
    if not value.isdecimal():
        raise IncorrectLookupParameters(f"{value!r} is no id")
    return int(value)
