"""What operators do with a campaign: as actions of the list, and as buttons on its page. Every change is a POST."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from campaigns import lifecycle
from campaigns.audience import audience
from campaigns.forms import ScheduleForm, SendTestForm, campaign_version, changed_meanwhile, new_nonce
from campaigns.lifecycle import LaunchRefused, LifecycleError
from campaigns.models import Campaign
from campaigns.preflight import Preflight, group_ids, preflight
from campaigns.reports import reason_label
from campaigns.single import send_test

from .base import BaseAdmin, acting_user
from .display import count, moment, object_link, people
from .resend import resend
from .unknown import decide, undecided


def action_url(campaign: Campaign, action: str) -> str:
    """Where this action of a campaign is done."""
    return reverse(f"admin:campaigns_campaign_{action}", args=[campaign.pk])


class CampaignActions(BaseAdmin):
    """The pages and list actions; who may do what stands in `PERMISSIONS`."""

    #: Action -> the method that says whether this user may.
    PERMISSIONS = {
        "launch": "has_launch_permission",
        "schedule": "has_launch_permission",
        "unschedule": "has_launch_permission",
        "pause": "has_control_permission",
        "resume": "has_control_permission",
        "cancel": "has_control_permission",
        "unknown": "has_control_permission",
        "resend": "has_launch_permission",
        "duplicate": "has_add_permission",
        "test": "has_test_permission",
    }

    def has_launch_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("campaigns.launch_campaign")

    def has_control_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("campaigns.control_campaign")

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

    def _do(self, request: HttpRequest, campaign: Campaign, act: Callable[[], object], done: str) -> HttpResponse:
        """Act, say what came of it, and go back to the campaign's page."""
        try:
            act()
        except LifecycleError as error:
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
        return self._do(request, campaign, lambda: lifecycle.pause(campaign, actor=acting_user(request)), done)

    def resume_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        campaign = self._open(request, pk, "resume")
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        done = _t("“%(name)s” goes on.")
        return self._do(request, campaign, lambda: lifecycle.resume(campaign, actor=acting_user(request)), done)

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
        copy = lifecycle.duplicate(campaign, actor=acting_user(request))
        self.message_user(request, _t("This is the copy, a new draft."), messages.SUCCESS)
        return HttpResponseRedirect(copy.get_absolute_url())

    # --- after a page that says what will happen -------------------------------------------------------------

    def launch_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        campaign = self._open(request, pk, "launch")
        if "confirm" in request.POST:
            return self._launch(request, campaign)
        if "launch" not in lifecycle.allowed_actions(campaign):
            return self._already_started(request, campaign)
        found = preflight(campaign)
        button = ngettext("Send %(count)s message", "Send %(count)s messages", found.recipients)
        return self._send_page(
            request, campaign, found, title=_t("Send now?"), button=button % {"count": count(found.recipients)}
        )

    def _launch(self, request: HttpRequest, campaign: Campaign) -> HttpResponse:
        """
        Start what the operator saw, once.

        Under lock: a text changed or people added after the page was shown are sent only after another look.
        """
        with transaction.atomic():
            locked = Campaign.objects.select_for_update().get(pk=campaign.pk)
            outdated = self._outdated(request, locked) if locked.is_editable else ""
            if outdated:
                self.message_user(request, outdated, messages.ERROR)
                return HttpResponseRedirect(action_url(campaign, "launch"))
            try:
                started = lifecycle.launch(locked, actor=acting_user(request))
            except LaunchRefused as refused:
                for problem in refused.problems:
                    self.message_user(request, problem, messages.ERROR)
                return HttpResponseRedirect(action_url(campaign, "launch"))
            except LifecycleError as error:
                self.message_user(request, str(error), messages.ERROR)
                return HttpResponseRedirect(campaign.get_absolute_url())
        if not started:
            return self._already_started(request, locked)
        self.message_user(
            request,
            _t("“%(name)s” is on its way. This page shows how it goes.") % {"name": campaign.name},
            messages.SUCCESS,
        )
        return HttpResponseRedirect(campaign.get_absolute_url())

    def _outdated(self, request: HttpRequest, campaign: Campaign) -> str:
        """Why what was confirmed is not what would be sent; empty when it is."""
        if request.POST.get("version") != campaign_version(campaign):
            return changed_meanwhile(campaign.updated_at)
        people_now = audience(*group_ids(campaign)).count()
        if request.POST.get("audience") != str(people_now):
            return _t(
                "The groups have changed since you opened this page: there are %(people)s in them now. "
                "Look at the figures again; nothing has been sent."
            ) % {"people": people(people_now)}
        return ""

    def _already_started(self, request: HttpRequest, campaign: Campaign) -> HttpResponse:
        if campaign.launched_at:
            sentence = format_html(
                _t("“{}” was started already at {} by {}. It is sent once; nothing was started a second time."),
                campaign.name,
                moment(campaign.launched_at),
                campaign.launched_by or _t("the schedule"),
            )
        else:
            status = campaign.get_status_display()
            sentence = format_html(_t("“{}” is {} and cannot be sent."), campaign.name, status)
        self.message_user(request, sentence, messages.WARNING)
        return HttpResponseRedirect(campaign.get_absolute_url())

    def schedule_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        campaign = self._open(request, pk, "schedule")
        if "schedule" not in lifecycle.allowed_actions(campaign):
            return self._already_started(request, campaign)
        is_confirmed = "confirm" in request.POST
        form = ScheduleForm(request.POST if is_confirmed else None, initial={"at": campaign.scheduled_at})
        if is_confirmed and form.is_valid():
            return self._schedule(request, campaign, form)
        return self._send_page(
            request, campaign, preflight(campaign), title=_t("Send later"), button=_t("Schedule"), form=form
        )

    def _schedule(self, request: HttpRequest, campaign: Campaign, form: ScheduleForm) -> HttpResponse:
        at = form.cleaned_data["at"]
        if request.POST.get("version") != campaign_version(campaign):
            self.message_user(request, changed_meanwhile(campaign.updated_at), messages.ERROR)
            return HttpResponseRedirect(action_url(campaign, "schedule"))
        try:
            lifecycle.schedule(campaign, at, actor=acting_user(request))
        except LifecycleError as error:
            form.add_error(None, str(error))
            return self._send_page(
                request, campaign, preflight(campaign), title=_t("Send later"), button=_t("Schedule"), form=form
            )
        sentence = format_html(_t("“{}” starts by itself at {}."), campaign.name, moment(at))
        self.message_user(request, sentence, messages.SUCCESS)
        return HttpResponseRedirect(campaign.get_absolute_url())

    def _send_page(
        self, request: HttpRequest, campaign: Campaign, found: Preflight, *, title: str, button: str, form: Any = None
    ) -> TemplateResponse:
        """What will be sent to whom, and the one button that does it."""
        left_out = [(reason_label(reason), number) for reason, number in found.suppressed.most_common()]
        return TemplateResponse(
            request,
            "admin/campaigns/campaign/send.html",
            self.admin_context(
                request,
                title=title,
                original=campaign,
                campaign=campaign,
                preflight=found,
                left_out=left_out,
                left_out_count=found.audience - found.recipients,
                button=button,
                form=form,
                version=campaign_version(campaign),
                time_zone=timezone.get_current_timezone_name(),
            ),
        )

    def cancel_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        campaign = self._open(request, pk, "cancel")
        if "confirm" in request.POST:
            done = _t("“%(name)s” is cancelled.")
            return self._do(request, campaign, lambda: lifecycle.cancel(campaign, actor=acting_user(request)), done)
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
                sentence = format_html(_t("A test to {} is on its way. {}."), message.phone_number, link)
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

    @admin.action(description=_("Resend to failed, undelivered or unknown…"), permissions=["launch"])
    def send_again(self, request: HttpRequest, queryset: QuerySet[Campaign]) -> HttpResponse | None:
        return self._one(request, queryset, "resend")

    @admin.action(description=_("Duplicate"), permissions=["add"])
    def duplicate(self, request: HttpRequest, queryset: QuerySet[Campaign]) -> None:
        self._each(request, queryset, lifecycle.duplicate, _t("“%(name)s” was copied into a new draft."))

    @admin.action(description=_("Send a test to…"), permissions=["test"])
    def send_test(self, request: HttpRequest, queryset: QuerySet[Campaign]) -> HttpResponse | None:
        return self._one(request, queryset, "test")
