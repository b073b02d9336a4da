"""What was done in bulk: progress while it runs, the file of an export, and who did it."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.core.files.storage import default_storage
from django.db.models import QuerySet
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from campaigns import audit, bulk, masking
from campaigns.bulk.contact_operations import read_names_of_groups
from campaigns.models import BulkAction, BulkStatus, Campaign
from campaigns.reports import workers_alive

from .base import ReadOnlyAdmin, acting_user
from .bulk import IN_REQUEST_SECONDS
from .display import count, moment, people
from .keyset import KeysetChangeList

_TONES = {
    BulkStatus.RUNNING: "busy",
    BulkStatus.DONE: "good",
    BulkStatus.CANCELLED: "quiet",
    BulkStatus.FAILED: "bad",
}


def numbers(action: BulkAction) -> str:
    """For example "12,000 people, 11,350 of them changed"."""
    if action.list_name == "contact":
        done = people(action.done_count)
    else:
        done = ngettext("%(count)s row", "%(count)s rows", action.done_count) % {"count": count(action.done_count)}
    if action.status == BulkStatus.RUNNING and action.total:
        done = _t("%(done)s of %(total)s so far") % {"done": done, "total": count(action.total)}
    if action.operation == "export":
        return done
    return _t("%(done)s, %(changed)s of them changed") % {"done": done, "changed": count(action.changed_count)}


def pill(action: BulkAction) -> SafeString:
    tone = _TONES[BulkStatus(action.status)]
    return format_html('<span class="pill pill-{}">{}</span>', tone, action.get_status_display())


def what(action: BulkAction) -> str:
    operation = bulk.OPERATIONS.get(action.operation)
    return operation.in_words(action) if operation else action.operation


class BulkActionChangeList(KeysetChangeList):
    """With the names of the groups that they speak of."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        read_names_of_groups(self.result_list)


def _list_url(action: BulkAction) -> str:
    """The list that it was begun in, with the same filters; empty for a list that is not known."""
    lists = {"contact": "campaigns_contact_changelist", "sentmessage": "campaigns_sentmessage_changelist"}
    if action.list_name not in lists:
        return ""
    url = reverse(f"admin:{lists[action.list_name]}")
    filters = action.selection.get("filters")
    if not masking.may_see_all():
        return url  # somebody else may have searched for a number
    return f"{url}?{urlencode(filters, doseq=True)}" if filters else url


@admin.register(BulkAction)
class BulkActionAdmin(ReadOnlyAdmin):
    """Actions on many rows, the newest first."""

    list_display = ("begun", "in_words", "state", "in_numbers", "created_by", "file")
    list_display_links = ("begun", "in_words")
    list_filter = ("status",)
    list_select_related = ("created_by",)
    sortable_by = ()
    empty_text = _(
        "Nothing has been done in bulk yet. Tick rows in a list, or all that its filters match, and choose an action."
    )

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[KeysetChangeList]:
        return BulkActionChangeList

    def get_queryset(self, request: HttpRequest) -> QuerySet[BulkAction]:
        return super().get_queryset(request).select_related("created_by")

    @admin.display(description=_("begun"))
    def begun(self, action: BulkAction) -> str | SafeString:
        return moment(action.created_at)

    @admin.display(description=_("what"))
    def in_words(self, action: BulkAction) -> str:
        return what(action)

    @admin.display(description=_("status"))
    def state(self, action: BulkAction) -> SafeString:
        return pill(action)

    @admin.display(description=_("rows"))
    def in_numbers(self, action: BulkAction) -> str:
        return numbers(action)

    @admin.display(description=_("file"))
    def file(self, action: BulkAction) -> str | SafeString:
        if action.expires_at is None:
            return ""
        return format_html(_t("until {}"), moment(action.expires_at))

    def get_urls(self) -> list[URLPattern]:
        site = self.admin_site
        return [
            path(
                "<int:pk>/cancel/",
                site.admin_view(require_POST(self.cancel_view)),
                name="campaigns_bulkaction_cancel",
            ),
            path("<int:pk>/go-on/", site.admin_view(require_POST(self.go_on_view)), name="campaigns_bulkaction_go_on"),
            path("<int:pk>/file/", site.admin_view(self.file_view), name="campaigns_bulkaction_file"),
            *super().get_urls(),
        ]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """How far it is. Nothing is edited here."""
        action = self._action_or_404(request, unquote(object_id))
        is_under_way = action.status == BulkStatus.RUNNING
        context = self.admin_context(
            request,
            title=what(action),
            action=action,
            pill=pill(action),
            numbers=numbers(action),
            is_under_way=is_under_way,
            may_cancel=is_under_way and self._may_end(request, action),
            may_download=self._may_download(request, action),
            workers_alive=workers_alive(),
            total=max(action.total, action.done_count, 1),
            campaign=self._campaign_of(request, action),
            list_url=_list_url(action),
        )
        return TemplateResponse(request, "admin/campaigns/bulkaction/page.html", context)

    @staticmethod
    def _campaign_of(request: HttpRequest, action: BulkAction) -> Campaign | None:
        """The draft that was made for the rows, for those who may see it."""
        pk = action.progress.get("campaign") if action.status == BulkStatus.DONE else None
        if pk is None or not request.user.has_perm("campaigns.view_campaign"):
            return None
        return Campaign.objects.filter(pk=pk).first()

    def cancel_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Stop it; what was done stays done."""
        action = self._action_or_404(request, pk)
        if not self._may_end(request, action):
            raise PermissionDenied
        if bulk.cancel(action, actor=acting_user(request)):
            messages.success(
                request, _t("Stopped. What was done stays done: %(numbers)s.") % {"numbers": numbers(action)}
            )
        else:
            messages.warning(request, _t("It had ended before."))
        return HttpResponseRedirect(action.get_absolute_url())

    def go_on_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Work on in the request, for installations whose worker is down."""
        action = self._action_or_404(request, pk)
        if not self._may_end(request, action):
            raise PermissionDenied
        bulk.run(action.pk, seconds=IN_REQUEST_SECONDS)
        return HttpResponseRedirect(action.get_absolute_url())

    def file_view(self, request: HttpRequest, pk: int) -> FileResponse:
        """The exported file, for whoever asked for it."""
        action = self._action_or_404(request, pk)
        if not self._may_download(request, action):
            raise PermissionDenied
        if not action.file_path or action.expires_at is None or action.expires_at < timezone.now():
            raise Http404(_t("The file is not there any more. Export again."))
        try:
            file = default_storage.open(action.file_path)
        except FileNotFoundError as error:
            raise Http404(_t("The file is not there any more. Export again.")) from error
        audit.record("download_export", actor=acting_user(request), details={"bulk_action": action.pk})
        return FileResponse(file, as_attachment=True, filename=action.file_name)

    def _may_end(self, request: HttpRequest, action: BulkAction) -> bool:
        """Whoever began it, and whoever may do the same."""
        operation = bulk.OPERATIONS.get(action.operation)
        permission = operation.permissions.get(action.list_name) if operation else None
        return bool(permission and request.user.has_perm(permission))

    def _may_download(self, request: HttpRequest, action: BulkAction) -> bool:
        is_theirs = action.created_by_id == request.user.pk or request.user.is_superuser
        return bool(action.file_name) and is_theirs and self._may_end(request, action)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """What somebody began they may see."""
        if obj is not None and obj.created_by_id == request.user.pk:
            return True
        return super().has_view_permission(request, obj)

    def _action_or_404(self, request: HttpRequest, pk: str | int) -> BulkAction:
        action = self.get_object(request, str(pk))
        if not isinstance(action, BulkAction):
            raise Http404
        if not self.has_view_permission(request, action):
            raise PermissionDenied
        return action
