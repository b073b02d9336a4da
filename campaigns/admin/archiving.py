"""Archived rows: out of the list unless asked for, and the buttons and actions that put away and bring back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from campaigns import archiving
from campaigns.archiving import ArchiveRefused

from .base import BaseAdmin, acting_user

#: The parameter of a list that says whether it shows what is in use.
ARCHIVED = "archived"


class ArchivedFilter(admin.SimpleListFilter):
    """What is in use, unless the archive is asked for."""

    title = _("archive")
    parameter_name = ARCHIVED

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("no", _("in use")), ("yes", _("archived")), ("all", _("all"))]

    def choices(self, changelist: Any) -> Iterator[Any]:
        chosen = self.value() or "no"
        for value, label in self.lookup_choices:
            query = changelist.get_query_string({self.parameter_name: value})
            yield {"selected": chosen == value, "query_string": query, "display": label}

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == "all":
            return queryset
        return queryset.filter(archived_at__isnull=self.value() != "yes")


class EitherFilter(ArchivedFilter):
    """The same for lists that offer different actions for what is in use and for the archive."""

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return super().lookups(request, model_admin)[:2]


class ArchivingMixin(BaseAdmin):
    """For rows with `archived_at`. Whoever may delete may archive."""

    archived_filter: ClassVar[type[ArchivedFilter]] = ArchivedFilter
    #: Whether the list offers it row by row; not for millions.
    archives_in_list: ClassVar[bool] = True
    archived_words: ClassVar[Any] = _("“%(name)s” is archived. What it sent stays in the log; it can be brought back.")

    def has_archive_permission(self, request: HttpRequest) -> bool:
        return BaseAdmin.has_delete_permission(self, request)

    def get_list_filter(self, request: HttpRequest) -> Any:
        return (*super().get_list_filter(request), self.archived_filter)

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        actions: dict[str, Any] = super().get_actions(request)
        if self.archives_in_list and self.has_archive_permission(request) and not request.GET.get("_popup"):
            actions["archive"] = (_action(archiving.archive), "archive", _t("Archive"))
            actions["restore"] = (_action(archiving.restore), "restore", _t("Bring back from the archive"))
        return actions

    def get_urls(self) -> list[URLPattern]:
        name = f"{self.opts.app_label}_{self.opts.model_name}"
        acts = {"archive": archiving.archive, "restore": archiving.restore}
        own = [
            path(
                f"<int:pk>/{key}/",
                self.admin_site.admin_view(require_POST(self._view(act))),
                name=f"{name}_{key}",
            )
            for key, act in acts.items()
        ]
        return [*own, *super().get_urls()]

    def _view(self, act: Callable[..., bool]) -> Callable[..., HttpResponse]:
        def view(request: HttpRequest, pk: int) -> HttpResponse:
            if not (self.has_view_permission(request) and self.has_archive_permission(request)):
                raise PermissionDenied
            thing = get_object_or_404(self.model, pk=pk)
            self._act(request, act, thing)
            return HttpResponseRedirect(
                reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_change", args=[pk])
            )

        return view

    def _act(self, request: HttpRequest, act: Callable[..., bool], thing: Any) -> None:
        try:
            done = act(thing, actor=acting_user(request))
        except ArchiveRefused as refusal:
            self.message_user(request, str(refusal), messages.ERROR)
            return
        if not done:
            self.message_user(request, _t("“%(name)s”: nothing was to be done.") % {"name": thing}, messages.WARNING)
        elif act is archiving.archive:
            self.message_user(request, self.archived_words % {"name": thing}, messages.SUCCESS)
        else:
            self.message_user(request, _t("“%(name)s” is back.") % {"name": thing}, messages.SUCCESS)

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        may = object_id is not None and self.has_archive_permission(request)
        return super().changeform_view(request, object_id, form_url, {"may_archive": may, **(extra_context or {})})


def _action(act: Callable[..., bool]) -> Callable[..., None]:
    def each(model_admin: Any, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        for thing in queryset:
            model_admin._act(request, act, thing)

    return each
