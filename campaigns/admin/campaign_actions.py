"""What operators do with a campaign: as actions of the list, and as buttons on its page. Every change is a POST."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.html import format_html
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from campaigns import copying, lifecycle, masking
from campaigns.approval import PERMISSION
from campaigns.forms import SendTestForm, new_nonce
from campaigns.gateway_forms import LimitForm
from campaigns.lifecycle import LifecycleError
from campaigns.models import RUNNING, Campaign, CampaignStatus
from campaigns.single import send_test

from .base import acting_user
from .campaign_approval import CampaignApproval
from .campaign_sending import CampaignSending
from .campaign_urls import action_url
from .display import object_link
from .resend import resend
from .unknown import decide, undecided


class CampaignActions(CampaignSending, CampaignApproval):
    """The pages and list actions; who may do what stands in `PERMISSIONS`."""

    #: Action -> the method that says whether this user may.
    PERMISSIONS = {
        "launch": "has_launch_permission",
        "schedule": "has_launch_permission",
        "recount": "has_launch_permission",
        "rehearsal": "has_launch_permission",
        "forecast": "has_look_permission",
        "left_out": "has_look_permission",
        "approval": "has_approve_permission",
        "withdraw": "has_launch_permission",
        "unschedule": "has_launch_permission",
        "pause": "has_control_permission",
        "resume": "has_control_permission",
        "cancel": "has_control_permission",
        "unknown": "has_control_permission",
        "resend": "has_resend_permission",
        "limit": "has_launch_permission",
        "duplicate": "has_add_permission",
        "test": "has_test_permission",
    }

    def has_launch_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("campaigns.launch_campaign")

    def has_approve_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(PERMISSION)

    def has_look_permission(self, request: HttpRequest) -> bool:
        """Whoever sends or approves looks at the figures first."""
        return self.has_launch_permission(request) or self.has_approve_permission(request)

    def has_control_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("campaigns.control_campaign")

    def has_resend_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("campaigns.resend_campaign")

    def has_test_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("campaigns.send_quick")

    def may(self, request: HttpRequest, action: str) -> bool:
        """Whether this user may do this, in whatever state the campaign is."""
        return bool(getattr(self, self.PERMISSIONS[action])(request))

    def get_urls(self) -> list[URLPattern]:
        views = {action: getattr(self, f"{action}_view") for action in self.PERMISSIONS}
        own = [
            path(f"<int:pk>/{action}/", self.admin_site.admin_view(view), name=f"campaigns_campaign_{action}")
            for action, view in views.items()
        ]
        return own + super().get_urls()

    def _open(self, request: HttpRequest, pk: int, action: str) -> Campaign:
        """The campaign, if this user may do this to it. Raises PermissionDenied and Http404."""
        if not (self.has_view_permission(request) and self.may(request, action)):
            raise PermissionDenied
        return get_object_or_404(Campaign, pk=pk)

    def _do(
        self,
        request: HttpRequest,
        campaign: Campaign,
        act: Callable[[], object],
        done: str,
        already: Collection[str] = (),
    ) -> HttpResponse:
        """
        Act, say what came of it, and go back to the campaign's page.

        `already`: in these states it is as it was to be. A double click asks twice, and that is no error.
        """
        try:
            act()
        except LifecycleError as error:
            campaign.refresh_from_db()
            if campaign.status in already:
                named = {"name": campaign.name, "status": campaign.get_status_display()}
                self.message_user(request, _t("“%(name)s” is %(status)s already.") % named, messages.INFO)
            else:
                self.message_user(request, str(error), messages.ERROR)
        else:
            self.message_user(request, done % {"name": campaign.name}, messages.SUCCESS)
        return HttpResponseRedirect(campaign.get_absolute_url())

    # --- at the press of a button --------------------------------------------------------------------------

    def pause_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        campaign = self._open(request, pk, "pause")
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        done = _t("“%(name)s” is paused. What was handed over already is still recorded.")
        act = partial(lifecycle.pause, campaign, actor=acting_user(request))
        return self._do(request, campaign, act, done, {CampaignStatus.PAUSED})

    def resume_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        campaign = self._open(request, pk, "resume")
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        done = _t("“%(name)s” goes on.")
        act = partial(lifecycle.resume, campaign, actor=acting_user(request))
        return self._do(request, campaign, act, done, RUNNING)

    def unschedule_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        campaign = self._open(request, pk, "unschedule")
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        done = _t("“%(name)s” is a draft again and will not start by itself.")
        return self._do(request, campaign, lambda: lifecycle.unschedule(campaign, actor=acting_user(request)), done)

    def duplicate_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        campaign = self._open(request, pk, "duplicate")
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        copy = copying.duplicate(campaign, actor=acting_user(request))
        self.message_user(request, _t("This is the copy, a new draft."), messages.SUCCESS)
        return HttpResponseRedirect(copy.get_absolute_url())

    def limit_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Set the spend limit of a campaign that was launched."""
        campaign = self._open(request, pk, "limit")
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        form = LimitForm(request.POST)
        if not form.is_valid():
            self.message_user(request, " ".join(map(str, form.errors["limit"])), messages.ERROR)
            return HttpResponseRedirect(campaign.get_absolute_url())
        limit = form.cleaned_data["limit"]
        done = _t("The spend limit of “%(name)s” is set.")
        act = partial(lifecycle.set_spend_limit, campaign, limit, actor=acting_user(request))
        return self._do(request, campaign, act, done)

    # --- after a page that says what will happen -------------------------------------------------------------

    def cancel_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        campaign = self._open(request, pk, "cancel")
        if "confirm" in request.POST:
            done = _t("“%(name)s” is cancelled.")
            act = partial(lifecycle.cancel, campaign, actor=acting_user(request))
            return self._do(request, campaign, act, done, {CampaignStatus.CANCELLED})
        return self._ask(
            request,
            campaign,
            title=_t("Cancel this campaign?"),
            explanation=_t(
                "What has not been handed over to the provider yet will never be sent. What was handed over cannot be "
                "called back. A cancelled campaign cannot be resumed; to stop for a while, pause it instead."
            ),
            button=_t("Cancel the campaign"),
            is_destructive=True,
        )

    def test_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        campaign = self._open(request, pk, "test")
        is_confirmed = "confirm" in request.POST
        form = SendTestForm(request.POST if is_confirmed else None, initial={"nonce": new_nonce()})
        if is_confirmed and form.is_valid():
            try:
                message = send_test(
                    campaign,
                    form.cleaned_data["phone"],
                    actor=acting_user(request),
                    nonce=form.cleaned_data["nonce"] or None,
                )
            except (LifecycleError, ValueError) as error:
                form.add_error(None, str(error))
            else:
                link = object_link(message, _t("See what became of it"))
                sentence = format_html(
                    _t("A test to {} is on its way. {}."), masking.number(message.phone_number), link
                )
                self.message_user(request, sentence, messages.SUCCESS)
                return HttpResponseRedirect(campaign.get_absolute_url())
        return self._ask(
            request,
            campaign,
            title=_t("Send a test"),
            explanation=_t(
                "One message, filled in as for the first person of the audience, goes to the number you give. "
                "It is in the delivery log, but does not count for the campaign."
            ),
            button=_t("Send the test"),
            form=form,
        )

    def unknown_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The operator's word on messages of which nobody knows whether the provider took them."""
        campaign = self._open(request, pk, "unknown")
        rows = undecided(campaign.messages.all())
        return decide(self, request, rows, original=campaign, back_url=campaign.get_absolute_url())

    def resend_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        return resend(self, request, self._open(request, pk, "resend"))

    def _ask(self, request: HttpRequest, campaign: Campaign, **context: Any) -> TemplateResponse:
        """A question about a campaign, with one button that does it."""
        return TemplateResponse(
            request,
            "admin/campaigns/ask.html",
            self.admin_context(request, original=campaign, back_url=campaign.get_absolute_url(), **context),
        )

    # --- actions of the list -------------------------------------------------------------------------------

    def _one(self, request: HttpRequest, queryset: QuerySet[Campaign], action: str) -> HttpResponse | None:
        """Open the page of an action for the one campaign chosen."""
        chosen = list(queryset[:2])
        if len(chosen) == 1:
            return HttpResponseRedirect(action_url(chosen[0], action))
        self.message_user(
            request, _t("Choose one campaign: each has a page of its own to look at before this."), messages.WARNING
        )
        return None

    def _each(self, request: HttpRequest, queryset: QuerySet[Campaign], act: Callable[..., object], done: str) -> None:
        """Do this to each of the chosen campaigns, and say for each what came of it."""
        for campaign in queryset:
            try:
                act(campaign, actor=acting_user(request))
            except LifecycleError as error:
                self.message_user(request, f"{campaign.name}: {error}", messages.ERROR)
            else:
                self.message_user(request, done % {"name": campaign.name}, messages.SUCCESS)

    @admin.action(description=_("Send now…"), permissions=["launch"])
    def send_now(self, request: HttpRequest, queryset: QuerySet[Campaign]) -> HttpResponse | None:
        return self._one(request, queryset, "launch")

    @admin.action(description=_("Schedule…"), permissions=["launch"])
    def schedule(self, request: HttpRequest, queryset: QuerySet[Campaign]) -> HttpResponse | None:
        return self._one(request, queryset, "schedule")

    @admin.action(description=_("Pause"), permissions=["control"])
    def pause(self, request: HttpRequest, queryset: QuerySet[Campaign]) -> None:
        self._each(request, queryset, lifecycle.pause, _t("“%(name)s” is paused."))

    @admin.action(description=_("Resume"), permissions=["control"])
    def resume(self, request: HttpRequest, queryset: QuerySet[Campaign]) -> None:
        self._each(request, queryset, lifecycle.resume, _t("“%(name)s” goes on."))

    @admin.action(description=_("Cancel…"), permissions=["control"])
    def cancel(self, request: HttpRequest, queryset: QuerySet[Campaign]) -> HttpResponse | None:
        return self._one(request, queryset, "cancel")

    @admin.action(description=_("Resend to failed, undelivered or unknown…"), permissions=["resend"])
    def send_again(self, request: HttpRequest, queryset: QuerySet[Campaign]) -> HttpResponse | None:
        return self._one(request, queryset, "resend")

    @admin.action(description=_("Duplicate"), permissions=["add"])
    def duplicate(self, request: HttpRequest, queryset: QuerySet[Campaign]) -> None:
        self._each(request, queryset, copying.duplicate, _t("“%(name)s” was copied into a new draft."))

    @admin.action(description=_("Send a test to…"), permissions=["test"])
    def send_test(self, request: HttpRequest, queryset: QuerySet[Campaign]) -> HttpResponse | None:
        return self._one(request, queryset, "test")
