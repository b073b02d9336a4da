"""Keywords, the answers to STOP, START and HELP, and what comes with the product."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.text import Truncator
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from campaigns import audit, keywords, masking
from campaigns.inbox_forms import LANGUAGES, AutomaticReplyForm, KeywordForm, TryForm
from campaigns.keyword_packs import PACKS, REPLIES
from campaigns.models import AutomaticReply, Meaning, ReplyKeyword

from .base import acting_user
from .changes import changes_of
from .kept_texts import KeptTextsAdmin


class AuditedAdmin(KeptTextsAdmin):
    """Pages whose changes are written into the audit trail."""

    action_name = ""

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Their texts are what people are answered."""
        return super().has_change_permission(request, obj) and request.user.has_perm(masking.MESSAGE_TEXTS)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        action = f"{self.action_name}_saved"
        audit.record(action, actor=acting_user(request), subject=str(obj), changes=changes_of(form))

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        audit.record(f"{self.action_name}_removed", actor=acting_user(request), subject=str(obj))
        super().delete_model(request, obj)


@admin.register(ReplyKeyword)
class ReplyKeywordAdmin(AuditedAdmin):
    """Words of the installation's own."""

    action_name = "keyword"
    masked = {"reply": masking.text, "forward_to_phone": masking.number}
    form = KeywordForm
    list_display = ("word", "answered_with", "joins", "forward_to_phone", "forward_to_email", "is_active")
    search_fields = ("word", "normalised")
    search_help_text = _("A part of the word.")
    autocomplete_fields = ("groups",)
    actions = None
    change_list_template = "admin/campaigns/replykeyword/change_list.html"
    empty_text = _(
        "There are no keywords of your own. STOP, START and HELP are understood without them, in seven languages."
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[ReplyKeyword]:
        return super().get_queryset(request).prefetch_related("groups")

    @admin.display(description=_("answer"))
    def answered_with(self, keyword: ReplyKeyword) -> str:
        return masking.text(Truncator(keyword.reply).chars(60))

    @admin.display(description=_("groups"))
    def joins(self, keyword: ReplyKeyword) -> str:
        return ", ".join(group.name for group in keyword.groups.all())

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.built_in_view)
        return [path("built-in/", view, name="campaigns_replykeyword_built_in"), *super().get_urls()]

    def built_in_view(self, request: HttpRequest) -> HttpResponse:
        """The words that come with the product, and a place to try a message."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        form = TryForm(request.POST if request.method == "POST" else None)
        reading = None
        if form.is_valid():
            own = dict.fromkeys(ReplyKeyword.objects.filter(is_active=True).values_list("normalised", flat=True))
            reading = keywords.read(form.cleaned_data["text"], own)
        packs = [(LANGUAGES[pack.language], pack) for pack in PACKS]
        return TemplateResponse(
            request,
            "admin/campaigns/replykeyword/built_in.html",
            self.admin_context(
                request,
                title=_t("Words that come with the product"),
                packs=packs,
                form=form,
                reading=reading,
                is_doubtful=reading is not None and reading.meaning is Meaning.DOUBTFUL,
            ),
        )


@admin.register(AutomaticReply)
class AutomaticReplyAdmin(AuditedAdmin):
    """The installation's own answers to STOP, START and HELP."""

    action_name = "automatic_reply"
    masked = {"text": masking.text}
    form = AutomaticReplyForm
    list_display = ("meaning", "spoken", "shown_text")
    list_filter = ("meaning",)
    actions = None
    empty_text = _(
        "The answers that come with the product are used. Add your own to name your company, or to answer nothing."
    )

    @admin.display(description=_("language"), ordering="language")
    def spoken(self, reply: AutomaticReply) -> str:
        return str(LANGUAGES.get(reply.language, reply.language))

    @admin.display(description=_("text"))
    def shown_text(self, reply: AutomaticReply) -> str:
        return masking.text(reply.text) or _t("(nothing is answered)")

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return {"text": REPLIES[Meaning.STOP]["en"], **super().get_changeform_initial_data(request)}
