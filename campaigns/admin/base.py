"""What the product's admin pages share: empty states, read-only models, search by number, confirmed selections."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any, ClassVar, cast

from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.views.main import ChangeList
from django.db import transaction
from django.db.models import Max, Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _t

from campaigns import masking
from campaigns.models import User
from campaigns.number_search import looks_like_number, number_query, read_number, why_no_number

from .display import count, people
from .times import TimesMixin

__all__ = ["looks_like_number", "number_query", "read_number", "why_no_number"]  # the rules, for the screens


def acting_user(request: HttpRequest) -> User:
    """Who is signed in. The admin lets nobody else through."""
    assert isinstance(request.user, User)
    return request.user


#: Fields that hold what is written to and by people; rows cannot be chosen by them without seeing it.
TEXT_FIELDS = frozenset(
    {"body", "text", "texts", "note", "last_text", "reason_text", "provider_response", "raw", "payload"}
)
NUMBER_FIELDS = frozenset({"phone_number", "canonical_number"})


@cache
def _masked_column(model: type[Model], name: str, mask: Callable[[Any], str]) -> Callable[[Any], str]:
    """A column, or a line of a read-only form, that shows a field as the reader may see it."""

    @admin.display(description=model._meta.get_field(name).verbose_name)  # type: ignore[union-attr]
    def column(thing: Any) -> str:
        return mask(getattr(thing, name))

    column.__name__ = name
    return column


class PlainChangeList(ChangeList):
    """A list that counts results only where something was left out of them."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        if not (self.query or self.has_active_filters):
            self.full_result_count = self.result_count


class BaseAdmin(TimesMixin, admin.ModelAdmin):  # type: ignore[type-arg]
    """A page of ours: fast lists, and a sentence instead of an empty table."""

    #: What to do next when there is nothing at all.
    empty_text: Any = ""
    list_per_page = 50
    list_max_show_all = 200
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    #: Fields that not everybody may see as they are, in the list and on a page that is only read, and what is shown.
    masked: ClassVar[Mapping[str, Callable[[Any], str]]] = {}

    def get_list_display(self, request: HttpRequest) -> Any:
        return self._masked_names(super().get_list_display(request))

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        fieldsets = super().get_fieldsets(request, obj)
        return fieldsets if self._is_written(request, obj) else self.masked_fieldsets(fieldsets)

    def masked_fieldsets(self, fieldsets: Any) -> Any:
        """For a page that is only read."""
        return [(title, {**options, "fields": self._masked_names(options["fields"])}) for title, options in fieldsets]

    def _is_written(self, request: HttpRequest, obj: Any) -> bool:
        return self.has_add_permission(request) if obj is None else self.has_change_permission(request, obj)

    def _masked_names(self, names: Iterable[Any]) -> tuple[Any, ...]:
        return tuple(
            _masked_column(self.model, name, self.masked[name])  # type: ignore[arg-type]
            if isinstance(name, str) and name in self.masked
            else self._masked_names(name)
            if isinstance(name, list | tuple)
            else name
            for name in names
        )

    def get_search_fields(self, request: HttpRequest) -> Any:
        """What somebody may not see cannot be found out by searching for it."""
        fields = super().get_search_fields(request)
        return self._searchable(fields) or fields  # without any there would be no box for a number

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        if search_term and not self._searchable(super().get_search_fields(request)):
            return queryset.none(), False
        return super().get_search_results(request, queryset, search_term)

    @staticmethod
    def _searchable(fields: Iterable[str]) -> tuple[str, ...]:
        return tuple(name for name in fields if masking.may_see_texts() or not _names(name) & TEXT_FIELDS)

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        """Nor by filters in an address; a whole number may be asked for."""
        names = _names(lookup)
        if names & TEXT_FIELDS and not masking.may_see_texts():
            return False
        if names & NUMBER_FIELDS and not masking.may_see_numbers():
            return lookup.endswith(("phone_number", "phone_number__exact")) and read_number(value) == value
        return super().lookup_allowed(lookup, value, cast(HttpRequest, request))

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        term = request.GET.get("q", "").strip()
        context = {"empty_text": self.empty_text, "nothing_found": nothing_found(term) if term else ""}
        return super().changelist_view(request, {**context, **(extra_context or {})})

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return PlainChangeList

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """One by one, so that each leaves its entry in the audit trail."""
        with transaction.atomic():
            for thing in queryset:
                self.delete_model(request, thing)

    def admin_context(self, request: HttpRequest, **context: Any) -> dict[str, Any]:
        """The context of a page of our own that looks like the admin's."""
        return {**self.admin_site.each_context(request), "opts": self.opts, "media": self.media, **context}


def _names(lookup: str) -> set[str]:
    return set(lookup.lstrip("^=@").split("__"))


class ReadOnlyAdmin(BaseAdmin):
    """Rows that the engine writes and people only read."""

    actions = None

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


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


def _newest(queryset: QuerySet[Any]) -> int:
    """The highest id; 0 if there is none."""
    newest: int | None = queryset.order_by().aggregate(newest=Max("pk"))["newest"]
    return newest or 0


class Selection:
    """
    The rows that an action is for, fixed when its page is first shown.

    With "select all" the filter runs again when the page is confirmed; rows that came meanwhile are left out by id.
    `limit`: count no further, where a count of all would take too long.
    """

    def __init__(self, request: HttpRequest, queryset: QuerySet[Any], *, limit: int | None = None) -> None:
        posted = request.POST.get("up_to", "")
        self.up_to = int(posted) if posted.isdecimal() else _newest(queryset)
        self.rows = queryset.filter(pk__lte=self.up_to).order_by()
        self.count = self.rows.count() if limit is None else self.rows[: limit + 1].count()
        self.is_more = limit is not None and self.count > limit
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

    @property
    def shown_count(self) -> str:
        """The count in words."""
        return _t("more than %(count)s") % {"count": count(self.count - 1)} if self.is_more else count(self.count)

    @property
    def people(self) -> str:
        """The count of contacts in words."""
        return people(self.count)

    def sample(self, size: int = 10) -> list[Model]:
        """The newest rows, to be shown."""
        return list(self.rows.prefetch_related(None).order_by("-pk")[:size])


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
