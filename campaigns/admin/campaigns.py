"""The campaigns: their list, the form while they are drafts, and the page that tells how they go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Q
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import get_object_or_404
from django.template.loader import render_to_string
from django.urls import URLPattern, path
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import format_lazy
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from campaigns import approval, audit, drafts, lifecycle, masking
from campaigns.brakes import BRAKES, MINIMUM_SAMPLE
from campaigns.forecasting.running import people_now
from campaigns.forms import CampaignForm
from campaigns.gateway_forms import LimitForm
from campaigns.languages import language_name
from campaigns.models import EDITABLE, Approval, ApprovalStatus, Campaign, CampaignStatus, ContactGroup, MessageStatus
from campaigns.preflight import no_consent_warning, without_consent_count
from campaigns.prices import price_table
from campaigns.reports import many_campaign_figures
from campaigns.resendable import RESENDABLE, resendable
from campaigns.sending.doubt import being_settled
from campaigns.smart_groups import in_words

from .answers import answers_page
from .archiving import ArchivingMixin
from .base import FilledChangeList, acting_user
from .campaign_report import report_download, report_page
from .campaign_urls import action_url
from .changes import changes_of
from .display import NOTHING, count, moment, pill, status_pill
from .progress import poll_seconds, progress_of
from .trail import trail
from .unknown import undecided
from .writing import CampaignWriting

UNKNOWN_SHOWN = 20
LABELS = {
    "launch": _("Send now…"),
    "approval": _("Approve or decline…"),
    "resume": _("Resume"),
    "schedule": _("Schedule…"),
    "unschedule": _("Do not start by itself"),
    "pause": _("Pause"),
    "test": _("Send a test…"),
    "rehearsal": _("Rehearse…"),
    "resend": _("Resend to failed, undelivered or unknown…"),
    "duplicate": _("Duplicate"),
    "cancel": _("Cancel…"),
}
STYLES = {"launch": "primary", "approval": "primary", "resume": "primary", "cancel": "danger"}


def smart_groups_of(campaign: Campaign) -> list[tuple[str, str]]:
    """The smart groups that it includes or leaves out, each with its conditions in words."""
    chosen = ContactGroup.objects.filter(
        Q(campaigns_including=campaign) | Q(campaigns_excluding=campaign), conditions__isnull=False
    )
    return [(group.name, in_words(group.conditions)) for group in chosen.distinct()]


def _may_wait_for_approval(campaign: Campaign) -> bool:
    """Before it is sent, or, once it has ended, before it is sent again."""
    return approval.can_be_started(campaign) or (campaign.has_ended and approval.is_ever_asked_for())


def _declined(campaign: Campaign, asked: Approval | None) -> Approval | None:
    """The latest answer, if it was no and nothing was asked since."""
    if asked is not None or not _may_wait_for_approval(campaign):
        return None
    latest = campaign.approvals.select_related("decided_by").first()
    return latest if latest is not None and latest.status == ApprovalStatus.DECLINED else None


@dataclass(frozen=True)
class Button:
    """An action on the page of a campaign."""

    action: str
    url: str
    label: Any
    style: str


@admin.register(Campaign)
class CampaignAdmin(ArchivingMixin, CampaignWriting):
    """Texts and who gets them."""

    form = CampaignForm
    masked = {"body": masking.text}
    list_display = ("name", "state", "progress", "when", "by_whom")
    list_filter = ("status", "kind")
    list_select_related = ("created_by", "launched_by")
    search_fields = ("name", "body")
    search_help_text = _("A part of the name or of the text.")
    autocomplete_fields = ("include_groups", "exclude_groups")
    actions = ("send_now", "schedule", "pause", "resume", "cancel", "send_again", "duplicate", "send_test")
    empty_text = _("There are no campaigns yet. Write the first one: a text, and the groups that get it.")
    fieldsets = (
        (None, {"fields": ("name", "body")}),
        (_("Template and languages"), {"fields": ("template", "texts"), "classes": ("collapse",)}),
        (_("To whom"), {"fields": ("include_groups", "exclude_groups")}),
        (_("How"), {"fields": ("kind", "gateway", "sender_id", "spend_limit")}),
        (
            _("When"),
            {
                "fields": (
                    "hours",
                    ("window_start", "window_end"),
                    "window_days",
                    "skip_holidays",
                    ("max_per_second", "rate_unit"),
                    "ends_at",
                    "late_start",
                )
            },
        ),
        (
            _("Careful start and brakes"),
            {
                "fields": ("canary_size", "canary_wait_minutes", "canary_then", *BRAKES),
                "description": format_lazy(
                    _(
                        "The campaign pauses when more than so many per cent are refused, not delivered or opt out: "
                        "after the first portion, whatever its size, and at any time once {sample} can be judged. When "
                        "you resume it, only what comes after that counts for the limit that was passed. Empty: no "
                        "limit."
                    ),
                    sample=MINIMUM_SAMPLE,
                ),
            },
        ),
    )

    # --- the list ------------------------------------------------------------------------------------------

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[FilledChangeList]:
        return FilledChangeList

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        actions = super().get_actions(request)
        actions.pop("delete_selected", None)  # only drafts can be deleted, each from its own page
        return actions

    def fill_page(self, campaigns: list[Any]) -> None:
        """The figures of all campaigns of a page in one query, and what of them waits for approval in another."""
        found = many_campaign_figures(campaign.pk for campaign in campaigns)
        waiting = set(approval.waiting(campaign.pk for campaign in campaigns).values_list("campaign", flat=True))
        for campaign in campaigns:
            campaign.figures = found[campaign.pk]
            campaign.waits_for_approval = campaign.pk in waiting

    @admin.display(description=_("status"), ordering="status")
    def state(self, campaign: Any) -> SafeString:
        if not campaign.waits_for_approval:
            return status_pill(campaign)
        waiting = pill(CampaignStatus.PAUSED, str(ApprovalStatus.WAITING.label))
        return format_html("{} {}", status_pill(campaign), waiting)

    @admin.display(description=_("messages"))
    def progress(self, campaign: Any) -> str | SafeString:
        if not campaign.launched_at:
            return NOTHING
        figures = campaign.figures
        return format_html(
            '<progress max="{}" value="{}" aria-label="{}"></progress> {}',
            max(figures.audience, 1),
            figures.done,
            _t("Done"),
            _t("%(done)s of %(audience)s") % {"done": count(figures.done), "audience": count(figures.audience)},
        )

    @admin.display(description=_("when"), ordering="created_at")
    def when(self, campaign: Campaign) -> SafeString:
        if campaign.launched_at:
            return format_html(_t("sent {}"), moment(campaign.launched_at))
        if campaign.status == CampaignStatus.SCHEDULED:
            return format_html(_t("starts {}"), moment(campaign.scheduled_at))
        return format_html(_t("written {}"), moment(campaign.created_at))

    @admin.display(description=_("by"))
    def by_whom(self, campaign: Campaign) -> str:
        return str(campaign.launched_by or campaign.created_by or NOTHING)

    # --- the form ------------------------------------------------------------------------------------------

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Campaign | None:
        """Whoever saves works on the locked row: what the form checks is what is saved."""
        queryset = self.get_queryset(request)
        if request.method == "POST" and transaction.get_connection().in_atomic_block:
            queryset = queryset.select_for_update()
        return queryset.filter(pk=object_id).first() if object_id.isdecimal() else None

    def get_fieldsets(self, request: HttpRequest, obj: Campaign | None = None) -> Any:
        """What only helps to fill in the form is not shown where there is none."""
        fieldsets = super().get_fieldsets(request, obj)
        if obj is None or self.has_change_permission(request, obj):
            return fieldsets
        shown: dict[Any, Any] = {"hours": None, "texts": "texts_shown"}
        return [
            (
                title,
                {**options, "fields": tuple(name for old in options["fields"] if (name := shown.get(old, old)))},
            )
            for title, options in fieldsets
            if "template" not in options["fields"] or obj.texts or obj.template
        ]

    @admin.display(description=_("in other languages"))
    def texts_shown(self, campaign: Campaign) -> str | SafeString:
        return format_html_join(
            "",
            "<p><strong>{}</strong><br>{}</p>",
            ((language_name(k), masking.text(text)) for k, text in campaign.texts.items()),
        )

    def has_change_permission(self, request: HttpRequest, obj: Campaign | None = None) -> bool:
        may = super().has_change_permission(request, obj)
        return may and (obj is None or (obj.is_editable and request.user.has_perm(masking.MESSAGE_TEXTS)))

    def has_delete_permission(self, request: HttpRequest, obj: Campaign | None = None) -> bool:
        return super().has_delete_permission(request, obj) and (
            obj is None or (obj.is_editable and obj.launched_at is None)
        )

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if request.method == "POST":
            with transaction.atomic():
                campaign = self.get_object(request, object_id)
                if campaign is not None and not campaign.is_editable:
                    return self._too_late(request, campaign)
                return super().change_view(request, object_id, form_url, extra_context)
        campaign = self.get_object(request, object_id)
        page = self._page_context(request, campaign) if campaign else {}
        return super().change_view(request, object_id, form_url, {**page, **(extra_context or {})})

    def _too_late(self, request: HttpRequest, campaign: Campaign) -> HttpResponse:
        sentence = _t("“%(name)s” is %(status)s and cannot be changed any more. Nothing was saved.")
        text = sentence % {"name": campaign.name, "status": campaign.get_status_display()}
        self.message_user(request, text, messages.ERROR)
        return HttpResponseRedirect(campaign.get_absolute_url())

    def delete_model(self, request: HttpRequest, obj: Campaign) -> None:
        audit.record("delete", actor=acting_user(request), subject=obj.name)
        super().delete_model(request, obj)

    def save_model(self, request: HttpRequest, obj: Campaign, form: Any, change: bool) -> None:
        actor = acting_user(request)
        if not change:
            obj.created_by = actor
        super().save_model(request, obj, form, change)
        drafts.forget(actor, obj if change else None)
        if not change:
            audit.record("create", actor=actor, campaign=obj, subject=obj.name)
        elif form.changed_data:
            audit.record("change", actor=actor, campaign=obj, subject=obj.name, changes=changes_of(form))

    def response_add(self, request: HttpRequest, obj: Campaign, post_url_continue: str | None = None) -> HttpResponse:
        return self._after_saving(request, obj, "new") or super().response_add(request, obj, post_url_continue)

    def response_change(self, request: HttpRequest, obj: Campaign) -> HttpResponse:
        return self._after_saving(request, obj, str(obj.pk)) or super().response_change(request, obj)

    def _after_saving(self, request: HttpRequest, obj: Campaign, kept_as: str) -> HttpResponse | None:
        """Saving leads to the campaign's own page, where it can be tested and sent."""
        if not {"_send", "_save", "_over"} & set(request.POST):
            return None
        said, tag = _t("“%(name)s” is saved.") % {"name": obj.name}, f"saved-by-{acting_user(request).pk}:{kept_as}"
        self.message_user(request, said, messages.SUCCESS, extra_tags=tag)
        if "_send" in request.POST:
            return HttpResponseRedirect(action_url(obj, "launch"))
        return HttpResponseRedirect(obj.get_absolute_url())

    # --- the page of a campaign ----------------------------------------------------------------------------

    def _page_context(self, request: HttpRequest, campaign: Campaign) -> dict[str, Any]:
        allowed = lifecycle.allowed_actions(campaign)
        asked = approval.open_approval(campaign) if _may_wait_for_approval(campaign) else None
        if asked is not None and asked.status == ApprovalStatus.WAITING:
            allowed.add("approval")
        if campaign.is_editable:
            allowed.add("rehearsal")
        progress = progress_of(campaign) if campaign.launched_at else None
        # The log is only asked about what the kept figures say is there.
        found = progress.figures.messages if progress else dict.fromkeys(MessageStatus.values, 0)
        if "resend" in allowed and not (any(found[status] for status in RESENDABLE) and resendable(campaign).exists()):
            allowed.remove("resend")
        unknown = undecided(campaign.messages.all()) if found[MessageStatus.UNKNOWN] else campaign.messages.none()
        return {
            "buttons": [
                Button(action, action_url(campaign, action), label, STYLES.get(action, ""))
                for action, label in LABELS.items()
                if action in allowed and self.may(request, action)
            ],
            "progress": progress,
            "answers": answers_page(request, campaign),
            "asked": asked,
            "asked_why_not": approval.why_not(acting_user(request), asked) if asked else "",
            "asked_is_changed": asked is not None and not approval.still_fits(asked, campaign),
            "declined": _declined(campaign, asked),
            "withdraw_url": action_url(campaign, "withdraw"),
            "poll_seconds": poll_seconds(campaign, progress),
            "progress_url": action_url(campaign, "progress"),
            "without_consent": _without_consent(campaign),
            "audience_now": people_now(campaign) if campaign.status in EDITABLE else None,
            "smart_groups": smart_groups_of(campaign) if campaign.status in EDITABLE else [],
            "unknown": list(unknown.order_by("pk")[:UNKNOWN_SHOWN]),
            "unknown_count": found[MessageStatus.UNKNOWN],
            "settling": being_settled(unknown) if found[MessageStatus.UNKNOWN] else None,
            "unknown_url": action_url(campaign, "unknown"),
            "may_decide": self.may(request, "unknown"),
            "may_launch": self.may(request, "launch"),
            "limit_form": self._limit_form(request, campaign),
            "limit_url": action_url(campaign, "limit"),
            "trail": trail(campaign),
        }

    def _limit_form(self, request: HttpRequest, campaign: Campaign) -> LimitForm | None:
        """Before the launch the limit is a field like the others; after its end there is nothing to limit."""
        if campaign.is_editable or campaign.has_ended or not self.may(request, "limit"):
            return None
        currency = price_table(campaign.gateway).currency
        label = _t("Spend limit (%(currency)s)") % {"currency": currency} if currency else _t("Spend limit")
        return LimitForm(initial={"limit": campaign.spend_limit}, label=label, auto_id="spend-%s")

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("<int:pk>/progress/", view(self.progress_view), name="campaigns_campaign_progress"),
            path("<int:pk>/report/", view(self.report_view), name="campaigns_campaign_report"),
            *super().get_urls(),
        ]

    def report_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """What became of the campaign, to be printed; a POST gives the file."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        campaign = get_object_or_404(Campaign.objects.select_related("created_by", "launched_by"), pk=pk)
        if campaign.launched_at is None:
            self.message_user(request, _t("There is no report before it was sent."), messages.WARNING)
            return HttpResponseRedirect(campaign.get_absolute_url())
        return report_download(request, campaign) if request.method == "POST" else report_page(request, campaign)

    def progress_view(self, request: HttpRequest, pk: int) -> JsonResponse:
        """How it goes, for the page that shows it. `seconds` is when to ask again; 0: nothing more will happen."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        campaign = get_object_or_404(Campaign, pk=pk)
        progress = progress_of(campaign)
        html = render_to_string(
            "admin/campaigns/campaign/progress.html", {"progress": progress, "original": campaign}, request
        )
        return JsonResponse(
            {
                "status": campaign.status,
                "html": html,
                "seconds": poll_seconds(campaign, progress),
                "said": progress.said,
                "unknown": progress.figures.messages[MessageStatus.UNKNOWN],
            }
        )


def _without_consent(campaign: Campaign) -> str:
    """Before a marketing campaign is sent: that some of its people will be left out, and what to do."""
    people_without = without_consent_count(campaign) if campaign.status in EDITABLE else 0
    return no_consent_warning(people_without) if people_without else ""
