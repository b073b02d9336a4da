"""What the product's admin pages share: empty states, read-only models, search by number, confirmed selections."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.views.main import ChangeList
from django.db.models import Max, Model, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _t

from campaigns.models import User
from sms_backends.phone_numbers import InvalidPhoneNumber, parse

#: Fewer digits than this are no beginning of a phone number worth searching.
LEAST_DIGITS = 3


def acting_user(request: HttpRequest) -> User:
    """Who is signed in. The admin lets nobody else through."""
    assert isinstance(request.user, User)
    return request.user


class PlainChangeList(ChangeList):
    """A list that counts results only where something was left out of them."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        if not (self.query or self.has_active_filters):
            self.full_result_count = self.result_count


class BaseAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """A page of ours: fast lists, and a sentence instead of an empty table."""

    #: What to do next when there is nothing at all.
    empty_text: Any = ""
    list_per_page = 50
    list_max_show_all = 200
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        term = request.GET.get("q", "").strip()
        context = {"empty_text": self.empty_text, "nothing_found": nothing_found(term) if term else ""}
        return super().changelist_view(request, {**context, **(extra_context or {})})

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return PlainChangeList

    def admin_context(self, request: HttpRequest, **context: Any) -> dict[str, Any]:
        """The context of a page of our own that looks like the admin's."""
        return {**self.admin_site.each_context(request), "opts": self.opts, "media": self.media, **context}


class ReadOnlyAdmin(BaseAdmin):
    """Rows that the engine writes and people only read."""

    actions = None

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def read_number(term: str) -> str | None:
    """A search term as E.164; None when it is not one whole phone number."""
    try:
        return parse(term, settings.SMS_DEFAULT_REGION).e164
    except InvalidPhoneNumber:
        return None


def why_no_number(term: str) -> str:
    """Why a search term that is made of digits is no phone number; empty for other terms."""
    if not looks_like_number(term):
        return ""
    try:
        parse(term, settings.SMS_DEFAULT_REGION)
    except InvalidPhoneNumber as error:
        return error.reason
    return ""


def looks_like_number(term: str) -> bool:
    """Whether somebody seems to search for a phone number, or the beginning of one."""
    return sum(c.isdecimal() for c in term) >= LEAST_DIGITS and not any(c.isalpha() for c in term)


def number_query(term: str, field: str = "phone_number") -> Q | None:
    """
    The rows with this number, in any spelling, or whose number begins with these digits. None for other terms.

    A range and no LIKE, so that the index serves it on every database.
    """
    if e164 := read_number(term):
        return Q(**{field: e164})
    if not looks_like_number(term):
        return None
    digits = "".join(str(int(c)) for c in term if c.isdecimal())
    query = Q(**{f"{field}__gte": f"+{digits}"})
    if below := digits.rstrip("9"):  # +7999… ends where +8 begins: digits sort alike under every collation
        query &= Q(**{f"{field}__lt": f"+{below[:-1]}{int(below[-1]) + 1}"})
    return query


class NumberSearchMixin:
    """Search by phone number in any spelling, and by whatever `search_fields` name besides."""

    number_field = "phone_number"

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        query = number_query(search_term, self.number_field)
        if query is not None:
            return queryset.filter(query), False
        return super().get_search_results(request, queryset, search_term)  # type: ignore[misc,no-any-return]


class Selection:
    """
    The rows that an action is for, fixed when its page is first shown.

    With "select all" the filter runs again when the page is confirmed; rows that came meanwhile are left out by id.
    """

    def __init__(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        posted = request.POST.get("up_to", "")
        newest = queryset.order_by().aggregate(newest=Max("pk"))["newest"]
        self.up_to = int(posted) if posted.isdecimal() else newest or 0
        self.rows = queryset.model._default_manager.filter(
            pk__in=queryset.filter(pk__lte=self.up_to).order_by().values("pk")
        )
        self.count = self.rows.count()
        self.is_confirmed = request.POST.get("confirm") == "yes"
        self._request = request

    @property
    def hidden_fields(self) -> Iterable[tuple[str, str]]:
        """What the confirmation has to send along to mean the same rows."""
        post = self._request.POST
        yield "action", post.get("action", "")
        yield "select_across", post.get("select_across", "0")
        yield "up_to", str(self.up_to)
        if post.get("select_across") == "1":
            yield ACTION_CHECKBOX_NAME, "0"
            return
        for pk in post.getlist(ACTION_CHECKBOX_NAME):
            yield ACTION_CHECKBOX_NAME, pk

    def sample(self, size: int = 10) -> list[Model]:
        """The first rows, to be shown."""
        return list(self.rows[:size])


def confirm_selection(
    model_admin: BaseAdmin,
    request: HttpRequest,
    selection: Selection,
    *,
    title: str,
    explanation: str,
    button: str,
    **context: Any,
) -> TemplateResponse:
    """The page between choosing rows and doing something to them."""
    shown = selection.sample()
    left = selection.count - len(shown)
    return TemplateResponse(
        request,
        "admin/campaigns/confirm_selection.html",
        model_admin.admin_context(
            request,
            title=title,
            explanation=explanation,
            button=button,
            selection=selection,
            shown=shown,
            left=left,
            **context,
        ),
    )


class FilledChangeList(PlainChangeList):
    """A list that fills in, for the rows of one page, what would be a query each (`fill_page()` of the admin)."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.result_list = list(self.result_list)
        self.model_admin.fill_page(self.result_list)  # type: ignore[attr-defined]


def nothing_found(term: str) -> str:
    """What an empty list says after a search."""
    reason = why_no_number(term)
    sentence = _t("Nothing was found for “%(term)s”.") % {"term": term}
    return f"{sentence} {reason}".strip()
