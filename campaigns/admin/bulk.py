"""Actions of a list that are done in the background: for the ticked rows, or for all that its filters match."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.auth.models import AnonymousUser
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.test import RequestFactory
from django.urls import reverse
from django.utils.translation import gettext as _t

from campaigns import bulk
from campaigns.bulk.lists import SelectionError, register_list
from campaigns.models import BulkAction, BulkStatus, User

from .archiving import ARCHIVED
from .base import BaseAdmin, Selection, acting_user, confirm_selection
from .keyset import AFTER, BEFORE

#: So long a request works at an action itself; what is left then is a worker's.
IN_REQUEST_SECONDS = 1.0
#: With more rows than this a request does not begin: it could not come to their end.
MOST_ROWS_IN_REQUEST = 20_000
#: Parameters of a list that do not choose rows.
_NO_FILTERS = {BEFORE, AFTER, "p", "o", "all"}


@dataclass(frozen=True)
class Asked:
    """
    What the page says that asks before an operation is started.

    `%(people)s`, `%(count)s` and, to choose the plural, `%(number)s` are put into the sentences.

    `parameters` makes the operation's parameters of the form, once it is valid.
    """

    title: Any
    explanation: Any
    button: Any
    form_class: type[forms.Form] | None = None
    parameters: Callable[[Any], dict[str, Any]] = lambda form: {}
    is_destructive: bool = False


class BulkActionsMixin:
    """For an admin whose list offers actions that run in the background."""

    model: Any
    #: The pages that ask, by operation. One without a page of its own gets a plain one.
    asked: ClassVar[Mapping[str, Asked]] = {}
    #: Rows are counted up to here: beyond it a count would take too long.
    count_limit: int | None = None

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """
        The operations that are registered for this list, for those who may do them.

        Stock deleting lists every row and breaks on a thousand.
        """
        actions: dict[str, Any] = super().get_actions(request)  # type: ignore[misc]
        actions.pop("delete_selected", None)
        if not request.GET.get("_popup"):
            for key, operation in bulk.OPERATIONS.items():
                if operation.is_offered and self.may(request, key):
                    actions[key] = (_starter(key), key, _t("%(what)s…") % {"what": operation.label})
        return actions

    def may(self, request: HttpRequest, key: str) -> bool:
        """Whether this user may do it with the rows of this list."""
        permission = bulk.OPERATIONS[key].permissions.get(self.model._meta.model_name)
        return permission is not None and request.user.has_perm(permission)

    def start_bulk(self, request: HttpRequest, queryset: QuerySet[Any], key: str) -> HttpResponse | None:
        """Ask, in numbers; once that is confirmed, begin."""
        assert isinstance(self, BaseAdmin)
        operation = bulk.OPERATIONS[key]
        asked = self.asked.get(key) or Asked(operation.label, _t("Chosen: %(people)s."), operation.label)
        selection = Selection(request, queryset, limit=self.count_limit)
        form = None
        if asked.form_class is not None:
            form = asked.form_class(request.POST if selection.is_confirmed else None)
            form.selection = selection  # type: ignore[attr-defined]
        if not selection.is_confirmed or (form is not None and not form.is_valid()):
            numbers = {"people": selection.people, "count": selection.shown_count, "number": selection.count}
            return confirm_selection(
                self,
                request,
                selection,
                title=str(asked.title),
                explanation=str(asked.explanation % numbers),
                button=str(asked.button % numbers),
                form=form,
                is_destructive=asked.is_destructive,
            )
        action = bulk.start(
            key,
            str(self.model._meta.model_name),
            stored_selection(request, selection),
            total=selection.count,
            parameters=asked.parameters(form),
            actor=acting_user(request),
        )
        return after_start(self, request, action)


def _starter(key: str) -> Callable[..., HttpResponse | None]:
    def start(model_admin: Any, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
        response: HttpResponse | None = model_admin.start_bulk(request, queryset, key)
        return response

    return start


def stored_selection(request: HttpRequest, selection: Selection) -> dict[str, Any]:
    """The rows as a worker will find them again: what was ticked, or the filters that were set."""
    if request.POST.get("select_across") == "1":
        filters = {name: request.GET.getlist(name) for name in request.GET if name not in _NO_FILTERS}
        return {"filters": filters, "up_to": selection.up_to}
    ids = sorted({int(pk) for pk in request.POST.getlist(ACTION_CHECKBOX_NAME) if pk.isdecimal()})
    ticked: dict[str, Any] = {"ids": ids, "up_to": selection.up_to}
    if ARCHIVED in request.GET:  # what is in the archive is only found by whoever looks there
        ticked["filters"] = {ARCHIVED: request.GET.getlist(ARCHIVED)}
    return ticked


def work_at_once(action: BulkAction) -> None:
    """Do a small action in the request itself. What is left of it then, or is too large, is a worker's."""
    if action.total <= MOST_ROWS_IN_REQUEST:
        bulk.run(action.pk, seconds=IN_REQUEST_SECONDS)
        action.refresh_from_db()


def after_start(model_admin: Any, request: HttpRequest, action: BulkAction) -> HttpResponse | None:
    """Small actions are done at once, and their list is shown again; others are watched on their own page."""
    work_at_once(action)
    if action.status == BulkStatus.DONE and not action.file_path:
        model_admin.message_user(request, done_words(action), messages.SUCCESS)
        return None
    return HttpResponseRedirect(action.get_absolute_url())


def done_words(action: BulkAction) -> str:
    """What was done, in numbers."""
    from .bulk_actions import numbers

    return _t("%(what)s: %(numbers)s.") % {
        "what": bulk.OPERATIONS[action.operation].in_words(action),
        "numbers": numbers(action),
    }


def offer_list(model: type[Any]) -> None:
    """Let a worker find the rows of this model's list by the code of the list itself."""
    register_list(str(model._meta.model_name), lambda filters, user: _rows(model, filters, user))


def _rows(model: type[Any], filters: Mapping[str, Any], user: User | None) -> QuerySet[Any]:
    model_admin = admin.site._registry[model]
    url = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    request = RequestFactory().get(url, filters)
    request.user = user or AnonymousUser()
    try:
        rows: QuerySet[Any] = model_admin.get_changelist_instance(request).get_queryset(request)
    except IncorrectLookupParameters as error:
        raise SelectionError(_t("The filters of the list cannot be used any more.")) from error
    return rows.order_by()
