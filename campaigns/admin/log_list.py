"""The list of the delivery log: its filters read from the address, a page at a time, at any depth."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Literal

from django.contrib.admin.options import IS_POPUP_VAR, TO_FIELD_VAR, IncorrectLookupParameters
from django.contrib.admin.views.main import ERROR_FLAG, PAGE_VAR
from django.db.models import Expression, QuerySet
from django.http import HttpRequest
from django.utils.dateparse import parse_date

from campaigns import log
from campaigns.log.filters import start_of
from campaigns.models import SentMessage
from campaigns.time_limits import TookTooLong

from .keyset import AFTER, BEFORE, ActionsKeysetChangeList
from .log_filters import Chip, LogFilterForm, chips

#: The last moment of this day is where the page begins.
AT = "at"
_OTHERS = {BEFORE, AFTER, AT, "o", "all", PAGE_VAR, ERROR_FLAG, IS_POPUP_VAR, TO_FIELD_VAR}


class LogChangeList(ActionsKeysetChangeList):
    """
    Newest first. `?before=KEY` is the page of older rows, `?after=KEY` that of newer ones, `?at=DAY` begins at the end
    of a day.

    `to_drop` is set where the database took too long: the filters of which one has to go.
    """

    filters: log.LogFilters
    to_drop: list[Chip]
    took_too_long = False

    def __init__(self, request: HttpRequest, *args: Any) -> None:
        self.to_drop = []
        try:
            self.filters = log.read(request.GET)
        except log.FilterError as error:
            raise IncorrectLookupParameters(str(error)) from error
        if unknown := set(request.GET) - set(log.PARAMETERS) - _OTHERS:
            raise IncorrectLookupParameters(f"{sorted(unknown)} are no filters")
        super().__init__(request, *args)

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> QuerySet[Any]:
        """All that the filters leave, for actions; a page is read in another way."""
        self.params = {name: value for name, value in self.params.items() if value}  # what a form sends empty
        self.has_filters = False  # no column of links at the side
        self.has_active_filters = bool(self.filters.active)
        self.filter_specs = []
        rows: QuerySet[Any] = self.root_queryset.filter(self.filters.condition())
        return rows.order_by(*self.get_ordering(request, rows))

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[str | Expression]:
        return ["-created_at", "-pk"]

    def get_ordering_field_columns(self) -> dict[int, Literal["asc", "desc"]]:
        return {}

    def get_results(self, request: HttpRequest) -> None:
        self.chips = chips(self.filters, request.GET)
        self.form = LogFilterForm(request.GET, self.filters, may_choose=self._may_choose(request))
        rows = self.root_queryset.select_related("campaign", "contact")
        before, after = self._place()
        try:
            page = log.page(self.filters, rows, self.list_per_page, before=before, after=after)
            if after is not None and not page.rows:  # nothing is newer: the newest then
                page = log.page(self.filters, rows, self.list_per_page)
        except TookTooLong:
            self.took_too_long = True
            names = log.advice(self.filters)
            self.to_drop = [chip for chip in self.chips if chip.name in names]
            page = log.Page([], has_newer=False, has_older=False)
        self._set_results(page.rows)
        self._link(page, before)

    def _may_choose(self, request: HttpRequest) -> bool:
        return request.user.has_perm("campaigns.view_campaign")

    def _place(self) -> tuple[log.Key | None, log.Key | None]:
        try:
            if day := parse_date(self.params.get(AT, "")):
                return log.Key(start_of(day + timedelta(days=1)), 0), None
            return self._key(BEFORE), self._key(AFTER)
        except (ValueError, OverflowError) as error:
            raise IncorrectLookupParameters(str(error)) from error

    def _key(self, name: str) -> log.Key | None:
        value = self.params.get(name)
        return log.Key.read(value) if value else None

    def _link(self, page: log.Page, before: log.Key | None) -> None:
        rows: list[SentMessage] = page.rows
        if rows and page.has_older:
            self.older = self.get_query_string({BEFORE: str(log.Key.of(rows[-1]))}, [AFTER, AT])
        if rows and page.has_newer:
            self.newer = self.get_query_string({AFTER: str(log.Key.of(rows[0]))}, [BEFORE, AT])
        elif not rows and before is not None:
            self.newer = self.get_query_string(remove=[BEFORE, AFTER, AT])

    @property
    def kept_parameters(self) -> list[tuple[str, str]]:
        """The filters, for a form that leads elsewhere in the same list."""
        return [(name, value) for name, value in self.params.items() if name in log.PARAMETERS]

    @property
    def at(self) -> str:
        """The day that was gone to."""
        return str(self.params.get(AT, ""))

    @property
    def span(self) -> tuple[datetime, datetime] | None:
        """When the rows of the page were written, the newest first."""
        rows = self.result_list
        return (rows[0].created_at, rows[-1].created_at) if rows else None

    @property
    def filters_query(self) -> str:
        """The address of this list from its beginning, and of its export."""
        return self.get_query_string(remove=[*_OTHERS])
