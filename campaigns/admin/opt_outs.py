"""Opt-outs: numbers that must not be written to."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from campaigns import masking
from campaigns.forms import OptOutForm, ReasonForm
from campaigns.models import ConsentChange, OptOut, OptOutSource
from campaigns.optouts import lift_opt_out, record_opt_out
from campaigns.pseudonyms import is_pseudonym

from .base import BaseAdmin, NumberSearchMixin, acting_user
from .display import moment


@admin.register(OptOut)
class OptOutAdmin(NumberSearchMixin, BaseAdmin):
    """Recorded by number, and lifted one at a time, for a reason."""

    form = OptOutForm
    masked = {"phone_number": masking.number, "note": masking.text}
    list_display = ("phone_number", "opted_out_at", "source", "note", "created_by")
    list_filter = ("source", "opted_out_at")
    list_select_related = ("created_by",)
    search_fields = ("note",)
    search_help_text = _("A phone number in any spelling, the first digits of one, or a word of the note.")
    fields = ("phone_number", "note", "source", "opted_out_at", "created_by", "history")
    readonly_fields = ("source", "opted_out_at", "created_by", "history")
    actions = None
    empty_text = _(
        "Nobody has opted out. Numbers come here when people reply STOP, when the provider says so, "
        "or when you add them."
    )

    def get_fields(self, request: HttpRequest, obj: OptOut | None = None) -> Any:
        return self.fields if obj else ("phone_number", "note")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: OptOut | None = None) -> bool:
        """Nobody knows whose the opt-out of an erased person is, but the person: START lifts it."""
        return super().has_delete_permission(request, obj) and (obj is None or not is_pseudonym(obj.phone_number))

    @admin.display(description=_("history"))
    def history(self, opt_out: OptOut) -> SafeString:
        changes = ConsentChange.objects.filter(canonical_number=opt_out.canonical_number).select_related("actor")
        return format_html_join(
            "\n",
            "{} {} {}",
            ((moment(one.happened_at), one.get_act_display(), one.actor or "") for one in changes.order_by("-pk")[:20]),
        )

    def save_model(self, request: HttpRequest, obj: OptOut, form: Any, change: bool) -> None:
        kept = record_opt_out(obj.phone_number, source=OptOutSource.OPERATOR, note=obj.note, actor=acting_user(request))
        obj.pk = kept.pk

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Lifting an opt-out is a decision that must be accounted for: it asks for the reason."""
        opt_out = self.get_object(request, object_id)
        list_url = reverse("admin:campaigns_optout_changelist", current_app=self.admin_site.name)
        if opt_out is None:
            self.message_user(request, _t("This opt-out is not there any more."), messages.WARNING)
            return HttpResponseRedirect(list_url)
        if not self.has_delete_permission(request, opt_out):
            raise PermissionDenied
        form = ReasonForm(request.POST if request.method == "POST" else None)
        if form.is_valid():
            lift_opt_out(opt_out.phone_number, note=form.cleaned_data["note"], actor=acting_user(request))
            self.message_user(
                request,
                _t("%(number)s can be written to again.") % {"number": masking.number(opt_out.phone_number)},
                messages.SUCCESS,
            )
            return HttpResponseRedirect(list_url)
        return TemplateResponse(
            request,
            "admin/campaigns/ask.html",
            self.admin_context(
                request,
                title=_t("Lift the opt-out of %(number)s") % {"number": masking.number(opt_out.phone_number)},
                explanation=_t(
                    "Messages will be sent to this number again. Do this only if the person asked for it; "
                    "the reason is kept in the audit trail."
                ),
                button=_t("Lift the opt-out"),
                form=form,
                original=opt_out,
                back_url=opt_out_url(opt_out),
            ),
        )


def opt_out_url(opt_out: OptOut) -> str:
    """The page of an opt-out."""
    return reverse("admin:campaigns_optout_change", args=[opt_out.pk])
