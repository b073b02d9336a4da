"""Importing contacts: upload, what became of each row, import."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import phonenumbers
from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.contrib.admin.widgets import AutocompleteSelectMultiple
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.template.defaultfilters import filesizeformat
from django.template.response import TemplateResponse
from django.urls import path
from django.utils.html import format_html
from django.utils.http import content_disposition_header
from django.utils.safestring import SafeString
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from campaigns import importing
from campaigns.country_names import country_names
from campaigns.importing.limits import MAX_FILE_BYTES
from campaigns.models import ContactGroup, ContactImport, ImportStatus
from campaigns.reports import workers_alive
from campaigns.wakeups import wake

from .base import BaseAdmin, acting_user
from .display import count, moment
from .import_rows import rows_of, shown, tabs_of

#: So long a request works at a file itself; what is left then is a worker's. Small files need no worker at all.
IN_REQUEST_SECONDS = 5.0
ROWS_PER_PAGE = 50
_TONES = {
    ImportStatus.CHECKING: "busy",
    ImportStatus.CHECKED: "waiting",
    ImportStatus.IMPORTING: "busy",
    ImportStatus.DONE: "good",
    ImportStatus.REFUSED: "bad",
    ImportStatus.CANCELLED: "quiet",
}


def region_choices() -> list[tuple[str, str]]:
    """The countries with phone numbers, named in the reader's language where `phonenumbers` knows it, by name."""
    language = (get_language() or "en")[:2]
    known_names = country_names()
    names = {region: known_names.get(region, {}) for region in phonenumbers.SUPPORTED_REGIONS}
    labels = (
        (region, f"{_own_name(known, language) or region} (+{phonenumbers.country_code_for_region(region)})")
        for region, known in names.items()
    )
    return sorted(labels, key=lambda choice: choice[1])


def _own_name(names: dict[str, str], language: str) -> str:
    """phonenumbers writes `*fr` for "as in French"."""
    name = names.get(language) or names.get("en", "")
    return names.get(name[1:], "") if name.startswith("*") else name


class UploadForm(forms.Form):
    """A contact file and what to do with its people."""

    file = forms.FileField(
        label=_("File"),
        help_text=_("CSV or Excel (.xlsx), with a column of phone numbers. Names and any other columns come along."),
        widget=forms.ClearableFileInput(attrs={"accept": ".csv,.txt,.tsv,.xlsx"}),
    )
    region = forms.ChoiceField(
        label=_("Country"),
        choices=region_choices,
        help_text=_("Numbers in the file without a country code belong to this country."),
    )
    groups = forms.ModelMultipleChoiceField(
        ContactGroup.objects.all(),
        label=_("Add to groups"),
        required=False,
        help_text=_("A campaign is sent to groups."),
    )
    new_group = forms.CharField(
        label=_("And to a new group"), max_length=150, required=False, help_text=_("Its name, or leave it empty.")
    )

    def __init__(self, *args: Any, admin_site: admin.AdminSite, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["region"] = settings.SMS_DEFAULT_REGION
        widget = AutocompleteSelectMultiple(ContactImport._meta.get_field("groups"), admin_site)
        groups = self.fields["groups"]
        assert isinstance(groups, forms.ModelMultipleChoiceField)
        widget.choices = groups.choices
        groups.widget = widget

    def clean_file(self) -> Any:
        file = self.cleaned_data["file"]
        if file.size > MAX_FILE_BYTES:
            raise forms.ValidationError(
                _t("The file is too large: %(size)s. The limit is %(limit)s; split it into several files.")
                % {"size": filesizeformat(file.size), "limit": filesizeformat(MAX_FILE_BYTES)}
            )
        return file


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

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("campaigns.import_contact")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_urls(self) -> list[Any]:
        steps: dict[str, Callable[..., HttpResponse]] = {
            "confirm": self.confirm_view,
            "cancel": self.cancel_view,
            "continue": self.continue_view,
        }
        posts = [
            path(
                f"<int:pk>/{name}/",
                self.admin_site.admin_view(require_POST(view)),
                name=f"campaigns_contactimport_{name}",
            )
            for name, view in steps.items()
        ]
        bad_rows = path(
            "<int:pk>/bad-rows.csv",
            self.admin_site.admin_view(self.bad_rows_view),
            name="campaigns_contactimport_bad_rows",
        )
        return [*posts, bad_rows, *super().get_urls()]

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
        """Upload a file; it is checked at once, as far as that is quick."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        uploaded = (request.POST, request.FILES) if request.method == "POST" else ()
        form = UploadForm(*uploaded, admin_site=self.admin_site)
        if form.is_valid():
            file = form.cleaned_data.pop("file")
            contact_import = importing.start(file, file_name=file.name, actor=acting_user(request), **form.cleaned_data)
            work_on(contact_import)
            return HttpResponseRedirect(contact_import.get_absolute_url())
        context = self.admin_context(request, title=_t("Import contacts"), form=form, **(extra_context or {}))
        context["media"] = self.media + form.media
        return TemplateResponse(request, "admin/campaigns/contactimport/upload.html", context)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """What became of each row, and the button that imports the good ones. Nothing is edited here."""
        contact_import = self._import_or_404(request, unquote(object_id))
        tabs = tabs_of(contact_import, request.GET.get("rows", ""))
        tab = next(tab for tab in tabs if tab.is_open)
        page = Paginator(rows_of(contact_import, tab.key), ROWS_PER_PAGE).get_page(request.GET.get("page"))
        context = self.admin_context(
            request,
            title=contact_import.file_name,
            contact_import=contact_import,
            pill=state_pill(contact_import),
            button=button_label(contact_import),
            group_names=group_names(contact_import),
            is_under_way=contact_import.status in importing.UNDER_WAY,
            workers_alive=workers_alive(),
            tabs=tabs,
            tab=tab,
            page=page,
            rows=[shown(row) for row in page],
            **(extra_context or {}),
        )
        return TemplateResponse(request, "admin/campaigns/contactimport/preview.html", context)

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


def work_on(contact_import: ContactImport) -> None:
    """Check or commit for a few seconds, and leave the rest to a worker."""
    contact_import.refresh_from_db()
    if contact_import.status == ImportStatus.CHECKING:
        if importing.check(contact_import.pk, seconds=IN_REQUEST_SECONDS):
            wake("check_import", contact_import.pk)
    elif contact_import.status == ImportStatus.IMPORTING and importing.commit(
        contact_import.pk, seconds=IN_REQUEST_SECONDS
    ):
        wake("commit_import", contact_import.pk)


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
