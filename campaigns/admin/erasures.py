"""Forgetting people, and giving them everything that is known about them."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from campaigns import masking, person_export
from campaigns.erasing import on_their_way, request_erasure
from campaigns.inbox_forms import ErasureForm, PersonForm
from campaigns.models import Contact, Erasure

from .base import ReadOnlyAdmin, acting_user
from .display import count, moment

#: What was found of a person, by the keys of `Erasure.outcome`.
ERASED = {
    "contacts": _("contacts"),
    "cancelled": _("messages that waited and were cancelled"),
    "messages": _("messages"),
    "incoming": _("incoming messages"),
    "history": _("changes of consent"),
    "files": _("imported files that still hold the person"),
}


def in_words(found: Any) -> str:
    """A number, or the names of files."""
    if isinstance(found, list):
        return ", ".join(str(name) for name in found) or "–"
    return count(found) if isinstance(found, int) else str(found)


@admin.register(Erasure)
class ErasureAdmin(ReadOnlyAdmin):
    """Who was erased, when and why, without saying who it was."""

    masked = {"phone_number": masking.number}
    list_display = ("phone_number", "requested_at", "requested_by", "state", "reason")
    list_select_related = ("requested_by",)
    fields = ("phone_number", "reason", "requested_by", "requested_at", "state", "erased")
    readonly_fields = ("state", "erased")
    search_fields = ("reason",)
    search_help_text = _("A word of the reason.")
    change_list_template = "admin/campaigns/erasure/change_list.html"
    empty_text = _("Nobody was erased.")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("campaigns.add_erasure")

    def has_export_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perms(person_export.NEEDED)

    @admin.display(description=_("state"))
    def state(self, erasure: Erasure) -> str | SafeString:
        if erasure.finished_at:
            return moment(erasure.finished_at)
        return _t("waits until nothing is on its way to the number")

    @admin.display(description=_("what was erased"))
    def erased(self, erasure: Erasure) -> SafeString:
        lines = ((ERASED.get(kind, kind), in_words(found)) for kind, found in erasure.outcome.items())
        return format_html_join("", "<div>{}: {}</div>", lines)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.export_view)
        return [path("export/", view, name="campaigns_erasure_export"), *super().get_urls()]

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = ErasureForm(request.POST if request.method == "POST" else None, initial=_person_in(request))
        if form.is_valid():
            return self._erase(request, form)
        return self._ask(
            request,
            form,
            title=_t("Erase a person"),
            button=_t("Erase for ever"),
            explanation=_t(
                "The contact, its groups and all that the person wrote are deleted. Messages in the delivery log lose "
                "text and number but still count, what waits to be sent is cancelled, and an opt-out goes on holding. "
                "Uploaded files that hold the person are deleted, and all exports that were made before: export them "
                "again if you need them."
            ),
            is_destructive=True,
        )

    def _erase(self, request: HttpRequest, form: ErasureForm) -> HttpResponse:
        number = form.cleaned_data["phone_number"]
        waiting_for = on_their_way(number)
        erasure = request_erasure(number, reason=form.cleaned_data["reason"], actor=acting_user(request))
        if erasure.finished_at:
            self.message_user(request, _t("The person is erased."), messages.SUCCESS)
        else:
            sentence = ngettext(
                "%(count)d message to this number is on its way, or nobody knows whether it was taken. The rest is "
                "erased by itself as soon as that is settled; decide about unknown messages in the delivery log.",
                "%(count)d messages to this number are on their way, or nobody knows whether they were taken. The rest "
                "is erased by itself as soon as that is settled; decide about unknown messages in the delivery log.",
                waiting_for,
            )
            self.message_user(request, sentence % {"count": waiting_for}, messages.WARNING)
        return HttpResponseRedirect(reverse("admin:campaigns_erasure_change", args=[erasure.pk]))

    def export_view(self, request: HttpRequest) -> HttpResponse:
        """Everything about a person as a file, for the person."""
        if not self.has_export_permission(request):
            raise PermissionDenied
        form = PersonForm(request.POST if request.method == "POST" else None, initial=_person_in(request))
        if form.is_valid():
            return _as_download(
                person_export.everything_about(form.cleaned_data["phone_number"], actor=acting_user(request))
            )
        return self._ask(
            request,
            form,
            title=_t("Everything about a person"),
            button=_t("Download"),
            explanation=_t(
                "A ZIP file with all that is stored about the person with this number: the contact, consent and "
                "opt-outs, every message and what became of it, as JSON and as tables. That you did it is recorded."
            ),
        )

    def _ask(self, request: HttpRequest, form: PersonForm, **context: Any) -> TemplateResponse:
        back = reverse("admin:campaigns_erasure_changelist")
        page = self.admin_context(request, form=form, back_url=back, **context)
        return TemplateResponse(request, "admin/campaigns/ask.html", page)


def _person_in(request: HttpRequest) -> dict[str, str]:
    """The number of `?contact=`: the number itself has no place in an address, which servers log."""
    pk = request.GET.get("contact", "")
    contact = Contact.objects.filter(pk=int(pk)).first() if pk.isdecimal() else None
    return {"phone_number": contact.phone_number.as_e164} if contact and masking.may_see_numbers() else {}


def _as_download(content: bytes) -> HttpResponse:
    return HttpResponse(
        content,
        content_type="application/zip",
        headers={"Content-Disposition": 'attachment; filename="person.zip"', "Cache-Control": "no-store"},
    )
