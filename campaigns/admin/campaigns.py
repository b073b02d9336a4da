"""The campaigns: their list, the form while they are drafts, and the page that tells how they go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import get_object_or_404
from django.template.loader import render_to_string
from django.urls import URLPattern, path
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from campaigns import audit, lifecycle
from campaigns.audience import audience
from campaigns.forms import CampaignForm
from campaigns.models import EDITABLE, Campaign, CampaignStatus, MessageStatus
from campaigns.preflight import group_ids
from campaigns.reports import many_campaign_figures
from campaigns.resending import resendable_counts

from .base import FilledChangeList, acting_user
from .campaign_actions import CampaignActions, action_url
from .display import NOTHING, count, moment, status_pill
from .progress import poll_seconds, progress_of
from .unknown import undecided

UNKNOWN_SHOWN = 20
TRAIL_SHOWN = 50
LABELS = {
    "launch": _("Send now…"),
    "resume": _("Resume"),
    "schedule": _("Schedule…"),
    "unschedule": _("Do not start by itself"),
    "pause": _("Pause"),
    "test": _("Send a test…"),
    "resend": _("Resend to failed, undelivered or unknown…"),
    "duplicate": _("Duplicate"),
    "cancel": _("Cancel…"),
}
STYLES = {"launch": "primary", "resume": "primary", "cancel": "danger"}


@dataclass(frozen=True)
class Button:
    """An action on the page of a campaign."""

    action: str
    url: str
    label: Any
    style: str


@admin.register(Campaign)
class CampaignAdmin(CampaignActions):
    """Texts and who gets them."""

    form = CampaignForm
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
        (_("To whom"), {"fields": ("include_groups", "exclude_groups")}),
        (_("How"), {"fields": ("kind", "gateway", "sender_id")}),
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
    )

    # --- the list ------------------------------------------------------------------------------------------

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[FilledChangeList]:
        return FilledChangeList

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        actions = super().get_actions(request)
        actions.pop("delete_selected", None)  # only drafts can be deleted, each from its own page
        return actions

    def fill_page(self, campaigns: list[Any]) -> None:
        """The figures of all campaigns of a page, in one query."""
        found = many_campaign_figures(campaign.pk for campaign in campaigns)
        for campaign in campaigns:
            campaign.figures = found[campaign.pk]

    @admin.display(description=_("status"), ordering="status")
    def state(self, campaign: Campaign) -> SafeString:
        return status_pill(campaign)

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
        return [
            (title, {**options, "fields": tuple(name for name in options["fields"] if name != "hours")})
            for title, options in fieldsets
        ]

    def has_change_permission(self, request: HttpRequest, obj: Campaign | None = None) -> bool:
        return super().has_change_permission(request, obj) and (obj is None or obj.is_editable)

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
        if not change:
            audit.record("create", actor=actor, campaign=obj, subject=obj.name)
        elif form.changed_data:
            audit.record(
                "change", actor=actor, campaign=obj, subject=obj.name, details={"fields": list(form.changed_data)}
            )

    def response_add(self, request: HttpRequest, obj: Campaign, post_url_continue: str | None = None) -> HttpResponse:
        return self._after_saving(request, obj) or super().response_add(request, obj, post_url_continue)

    def response_change(self, request: HttpRequest, obj: Campaign) -> HttpResponse:
        return self._after_saving(request, obj) or super().response_change(request, obj)

    def _after_saving(self, request: HttpRequest, obj: Campaign) -> HttpResponse | None:
        """Saving leads to the campaign's own page, where it can be tested and sent."""
        if "_send" in request.POST:
            return HttpResponseRedirect(action_url(obj, "launch"))
        if "_save" not in request.POST:
            return None
        self.message_user(request, _t("“%(name)s” is saved.") % {"name": obj.name}, messages.SUCCESS)
        return HttpResponseRedirect(obj.get_absolute_url())

    # --- the page of a campaign ----------------------------------------------------------------------------

    def _page_context(self, request: HttpRequest, campaign: Campaign) -> dict[str, Any]:
        allowed = lifecycle.allowed_actions(campaign)
        if "resend" in allowed and not resendable_counts(campaign):
            allowed.remove("resend")
        unknown = undecided(campaign.messages.all()) if campaign.launched_at else campaign.messages.none()
        progress = progress_of(campaign) if campaign.launched_at else None
        return {
            "buttons": [
                Button(action, action_url(campaign, action), label, STYLES.get(action, ""))
                for action, label in LABELS.items()
                if action in allowed and self.may(request, action)
            ],
            "progress": progress,
            "poll_seconds": poll_seconds(campaign, progress),
            "progress_url": action_url(campaign, "progress"),
            "audience_now": audience(*group_ids(campaign)).count() if campaign.status in EDITABLE else None,
            "unknown": list(unknown.order_by("pk")[:UNKNOWN_SHOWN]),
            "looked_up": unknown.filter(next_lookup_at__isnull=False).count(),
            "unknown_url": action_url(campaign, "unknown"),
            "may_decide": self.may(request, "unknown"),
            "may_launch": self.may(request, "launch"),
            "trail": list(campaign.audit_events.select_related("actor")[:TRAIL_SHOWN]),
        }

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.progress_view)
        return [path("<int:pk>/progress/", view, name="campaigns_campaign_progress"), *super().get_urls()]

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
                "unknown": progress.figures.messages[MessageStatus.UNKNOWN],
            }
        )
