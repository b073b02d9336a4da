"""Importing contacts: upload, what became of each row, import."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseRedirect,
    JsonResponse,
    StreamingHttpResponse,
)
from django.http.response import HttpResponseBase
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import path
from django.utils.html import format_html
from django.utils.http import content_disposition_header
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from campaigns import audit, importing, masking
from campaigns.models import ContactImport, ImportStatus
from campaigns.reports import workers_alive
from campaigns.wakeups import wake

from .base import BaseAdmin, acting_user
from .display import count, moment
from .import_forms import ReadingForm, UploadForm
from .import_rows import rows_of, shown, tabs_of

#: So long a request works at a file itself; what is left then is a worker's. Small files need no worker at all.
IN_REQUEST_SECONDS = 5.0
ROWS_PER_PAGE = 50
#: A page about something under way asks how far it is this often.
POLL_SECONDS = 2
_TONES = {
    ImportStatus.UPLOADED: "waiting",
    ImportStatus.CHECKING: "busy",
    ImportStatus.CHECKED: "waiting",
    ImportStatus.IMPORTING: "busy",
    ImportStatus.DONE: "good",
    ImportStatus.REFUSED: "bad",
    ImportStatus.CANCELLED: "quiet",
    ImportStatus.UNDOING: "busy",
    ImportStatus.UNDONE: "quiet",
}


@admin.register(ContactImport)
class ContactImportAdmin(BaseAdmin):
    """Files that were uploaded, with what became of each of their rows."""

    list_display = (
        "file_name",
        "state",
        "uploaded",
        "created_by",
        "new_rows",
        "changed_rows",
        "unchanged_rows",
        "duplicate_rows",
        "bad_rows",
    )
    list_select_related = ("created_by",)
    search_fields = ("file_name",)
    search_help_text = _("A part of the file name.")
    actions = None
    change_list_template = "admin/campaigns/contactimport/change_list.html"
    empty_text = _("Nothing has been imported yet. Upload a CSV or Excel file with phone numbers.")

    class Media:
        css = {"all": ("campaigns/imports.css",)}
        js = ("campaigns/imports.js",)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("campaigns.import_contact")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_urls(self) -> list[Any]:
        posts: dict[str, Callable[..., HttpResponseBase]] = {
            "read": self.read_view,
            "read_anew": self.read_anew_view,
            "confirm": self.confirm_view,
            "cancel": self.cancel_view,
            "continue": self.continue_view,
        }
        views: dict[str, Callable[..., HttpResponseBase]] = {name: require_POST(view) for name, view in posts.items()}
        views |= {"undo": self.undo_view, "progress": self.progress_view, "bad_rows": self.bad_rows_view}
        paths = {"bad_rows": "bad-rows.csv", "progress": "progress.json"}
        own = [
            path(
                f"<int:pk>/{paths.get(name, f'{name}/')}",
                self.admin_site.admin_view(view),
                name=f"campaigns_contactimport_{name}",
            )
            for name, view in views.items()
        ]
        return [*own, *super().get_urls()]

    @admin.display(description=_("status"), ordering="status")
    def state(self, contact_import: ContactImport) -> SafeString:
        return state_pill(contact_import)

    @admin.display(description=_("uploaded"), ordering="created_at")
    def uploaded(self, contact_import: ContactImport) -> str | SafeString:
        return moment(contact_import.created_at)

    @admin.display(description=_("new"), ordering="new_count")
    def new_rows(self, contact_import: ContactImport) -> str:
        return count(contact_import.new_count)

    @admin.display(description=_("changed"), ordering="changed_count")
    def changed_rows(self, contact_import: ContactImport) -> str:
        return count(contact_import.changed_count)

    @admin.display(description=_("unchanged"), ordering="unchanged_count")
    def unchanged_rows(self, contact_import: ContactImport) -> str:
        return count(contact_import.unchanged_count)

    @admin.display(description=_("duplicate"), ordering="duplicate_count")
    def duplicate_rows(self, contact_import: ContactImport) -> str:
        return count(contact_import.duplicate_count)

    @admin.display(description=_("bad"), ordering="bad_count")
    def bad_rows(self, contact_import: ContactImport) -> str:
        return count(contact_import.bad_count)

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Upload a file; what is wrong with all of it is said at once."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        uploaded = (request.POST, request.FILES) if request.method == "POST" else ()
        form = UploadForm(*uploaded, admin_site=self.admin_site)
        if form.is_valid():
            file = form.cleaned_data["file"]
            contact_import = importing.start(
                file, file_name=file.name, actor=acting_user(request), look_first=True, **form.choices_made()
            )
            found = importing.look(contact_import)
            if found.is_hopeless:
                importing.refuse(contact_import, found.problem)
            return HttpResponseRedirect(contact_import.get_absolute_url())
        context = self.admin_context(request, title=_t("Import contacts"), form=form, **(extra_context or {}))
        context["media"] = self.media + form.media
        return TemplateResponse(request, "admin/campaigns/contactimport/upload.html", context)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """What became of each row, and the button that imports the good ones. Nothing is edited here."""
        contact_import = self._import_or_404(request, unquote(object_id))
        if contact_import.status == ImportStatus.UPLOADED:
            return self._reading_page(request, contact_import, ReadingForm(importing.look(contact_import)))
        tabs = tabs_of(contact_import, request.GET.get("rows", ""))
        tab = next(tab for tab in tabs if tab.is_open)
        page = Paginator(rows_of(contact_import, tab.key), ROWS_PER_PAGE).get_page(request.GET.get("page"))
        context = self.admin_context(
            request,
            title=contact_import.file_name,
            **state_context(contact_import),
            tabs=tabs,
            tab=tab,
            page=page,
            rows=[shown(row) for row in page],
            **(extra_context or {}),
        )
        return TemplateResponse(request, "admin/campaigns/contactimport/preview.html", context)

    def _reading_page(self, request: HttpRequest, contact_import: ContactImport, form: ReadingForm) -> HttpResponse:
        context = self.admin_context(
            request,
            title=contact_import.file_name,
            contact_import=contact_import,
            pill=state_pill(contact_import),
            form=form,
            look=form.look,
        )
        return TemplateResponse(request, "admin/campaigns/contactimport/reading.html", context)

    def read_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Look at the file again, read otherwise; or check its rows, read so."""
        contact_import = self._import_or_404(request, pk)
        if contact_import.status != ImportStatus.UPLOADED:
            return HttpResponseRedirect(contact_import.get_absolute_url())
        look = importing.look(contact_import, importing.asked_reading(request.POST))
        form = ReadingForm(look, request.POST)
        if not form.is_about_these_columns():
            return self._reading_page(request, contact_import, ReadingForm(look))
        if "again" in request.POST or not form.is_valid():
            return self._reading_page(request, contact_import, form)
        if importing.read_as(contact_import, form.reading()):
            work_on(contact_import)
        return HttpResponseRedirect(contact_import.get_absolute_url())

    def read_anew_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Back to how the file is read."""
        contact_import = self._import_or_404(request, pk)
        if not importing.read_anew(contact_import):
            messages.warning(request, _t("It is too late to read this file in another way."))
        return HttpResponseRedirect(contact_import.get_absolute_url())

    def undo_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """What undoing would do, in numbers; then do it."""
        contact_import = self._import_or_404(request, pk)
        if request.method == "POST" and importing.begin_undo(contact_import, actor=acting_user(request)):
            work_on(contact_import)
        elif not importing.can_be_undone(contact_import):
            messages.warning(request, _t("This import cannot be undone."))
        elif request.method != "POST":
            context = self.admin_context(
                request,
                title=_t("Undo the import"),
                original=contact_import,
                contact_import=contact_import,
                plan=importing.undo_plan(contact_import),
            )
            return TemplateResponse(request, "admin/campaigns/contactimport/undo.html", context)
        return HttpResponseRedirect(contact_import.get_absolute_url())

    def progress_view(self, request: HttpRequest, pk: int) -> JsonResponse:
        """How far it is, for the page that is open."""
        contact_import = self._import_or_404(request, pk)
        context = state_context(contact_import)
        return JsonResponse(
            {
                "status": contact_import.status,
                "seconds": POLL_SECONDS if context["is_under_way"] else 0,
                "html": render_to_string("admin/campaigns/contactimport/progress.html", context, request),
            }
        )

    def confirm_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Import the good rows. A second click changes nothing."""
        contact_import = self._import_or_404(request, pk)
        if importing.confirm(contact_import, actor=acting_user(request)):
            work_on(contact_import)
        else:
            messages.warning(request, _t("This import was not waiting to be confirmed."))
        return HttpResponseRedirect(contact_import.get_absolute_url())

    def cancel_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Give the file up; no contact has been touched."""
        contact_import = self._import_or_404(request, pk)
        if importing.cancel(contact_import, actor=acting_user(request)):
            messages.success(request, _t("The import was cancelled. No contact was changed."))
        else:
            messages.warning(request, _t("It is too late to cancel this import."))
        return HttpResponseRedirect(contact_import.get_absolute_url())

    def continue_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Work on in the request, for installations whose worker is down."""
        contact_import = self._import_or_404(request, pk)
        work_on(contact_import)
        return HttpResponseRedirect(contact_import.get_absolute_url())

    def bad_rows_view(self, request: HttpRequest, pk: int) -> StreamingHttpResponse:
        """The bad rows with their reasons, to be mended and uploaded."""
        contact_import = self._import_or_404(request, pk)
        if not request.user.has_perm(masking.FULL_NUMBERS):
            raise PermissionDenied
        audit.record(
            "download_bad_rows",
            actor=acting_user(request),
            subject=contact_import.file_name,
            count=contact_import.bad_count,
            details={"import": contact_import.pk},
        )
        name = contact_import.file_name.rpartition(".")[0] or contact_import.file_name
        file_name = _t("%(name)s - bad rows.csv") % {"name": name}
        return StreamingHttpResponse(
            importing.bad_rows_csv(contact_import),
            content_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": content_disposition_header(as_attachment=True, filename=file_name) or ""},
        )

    def _import_or_404(self, request: HttpRequest, pk: str | int) -> ContactImport:
        if not self.has_view_permission(request):
            raise PermissionDenied
        contact_import = self.get_object(request, str(pk))
        if not isinstance(contact_import, ContactImport):
            raise Http404
        return contact_import


_STEPS: dict[str, tuple[Callable[..., bool], str]] = {
    ImportStatus.CHECKING: (importing.check, "check_import"),
    ImportStatus.IMPORTING: (importing.commit, "commit_import"),
    ImportStatus.UNDOING: (importing.undo, "undo_import"),
}


def work_on(contact_import: ContactImport) -> None:
    """Check, commit or undo for a few seconds, and leave the rest to a worker."""
    contact_import.refresh_from_db()
    if contact_import.status in _STEPS:
        step, task = _STEPS[contact_import.status]
        if step(contact_import.pk, seconds=IN_REQUEST_SECONDS):
            wake(task, contact_import.pk)


def state_context(contact_import: ContactImport) -> dict[str, Any]:
    """What the part of the page needs that says where the import stands."""
    return {
        "contact_import": contact_import,
        "pill": state_pill(contact_import),
        "button": button_label(contact_import),
        "group_names": group_names(contact_import),
        "is_under_way": contact_import.status in importing.UNDER_WAY,
        "can_be_undone": importing.can_be_undone(contact_import),
        "percent": importing.percent_done(contact_import),
        "poll_seconds": POLL_SECONDS,
        "workers_alive": workers_alive(),
    }


def state_pill(contact_import: ContactImport) -> SafeString:
    """Where the import stands, as a coloured word."""
    tone = _TONES[ImportStatus(contact_import.status)]
    return format_html('<span class="pill pill-{}">{}</span>', tone, contact_import.get_status_display())


def group_names(contact_import: ContactImport) -> list[str]:
    """The groups that the contacts join, the one that is still to be made included."""
    names = set(contact_import.groups.values_list("name", flat=True))
    return sorted(names | ({contact_import.new_group} if contact_import.new_group else set()))


def button_label(contact_import: ContactImport) -> str:
    """How many contacts pressing the button touches; those unchanged only if they are to join a group."""
    number = contact_import.new_count + contact_import.changed_count
    if group_names(contact_import):
        number += contact_import.unchanged_count
    if not number:
        return _t("Finish: there is nothing to import")
    return ngettext("Import %(count)s contact", "Import %(count)s contacts", number) % {"count": count(number)}
