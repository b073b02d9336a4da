"""What a second person sees and decides, who is left out and why, and rehearsals."""

from __future__ import annotations

import time
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _t

from campaigns import approval, audit, rehearsing
from campaigns.composing import TemplateError
from campaigns.forecasting import duration, running
from campaigns.forecasting.counting import CHUNK, Judge, rows_of
from campaigns.forecasting.foreseen import read
from campaigns.models import Approval, ApprovalStatus, Campaign, Contact, ForecastKind, SuppressionReason
from campaigns.reports import reason_label
from campaigns.smart_groups import ConditionsError
from sms_backends.phone_numbers import mask

from .base import BaseAdmin, acting_user
from .campaign_sending import counting_context, figures_context
from .campaign_urls import action_url
from .display import count
from .resend import again_page

LISTED = 50
#: How long a page looks for people before it offers to look further.
LOOK_SECONDS = 1.5
WORDS_SHOWN = 10


class CampaignApproval(BaseAdmin):
    """Pages beside the one that sends."""

    def approval_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The request that waits, with the figures as they are now; POST decides."""
        campaign = self._open(request, pk, "approval")  # type: ignore[attr-defined]
        asked = approval.open_approval(campaign)
        if asked is None or asked.status != ApprovalStatus.WAITING:
            self.message_user(request, _t("Nothing waits for approval any more."), messages.WARNING)
            return HttpResponseRedirect(campaign.get_absolute_url())
        if request.method == "POST" and {"_approve", "_decline"} & set(request.POST):
            return self._decide(request, campaign, asked)
        return self._approval_page(request, campaign, asked)

    def _decide(self, request: HttpRequest, campaign: Campaign, asked: Approval) -> HttpResponse:
        if request.POST.get("approval") != str(asked.pk):
            self.message_user(request, _t("It was asked for anew. Look at it again."), messages.ERROR)
            return HttpResponseRedirect(action_url(campaign, "approval"))
        is_approved = "_approve" in request.POST
        try:
            approval.decide(
                asked, actor=acting_user(request), is_approved=is_approved, answer=request.POST.get("answer", "")
            )
        except approval.ApprovalError as error:
            self.message_user(request, str(error), messages.ERROR)
            return HttpResponseRedirect(action_url(campaign, "approval"))
        words = _t("“%(name)s” is approved.") if is_approved else _t("“%(name)s” is declined.")
        self.message_user(request, words % {"name": campaign.name}, messages.SUCCESS)
        return HttpResponseRedirect(campaign.get_absolute_url())

    def _approval_page(self, request: HttpRequest, campaign: Campaign, asked: Approval) -> HttpResponse:
        if asked.again:
            return again_page(self, request, asked)
        try:
            forecast = running.holding(campaign, actor=acting_user(request))
        except (TemplateError, ConditionsError) as error:
            self.message_user(request, str(error), messages.ERROR)
            return HttpResponseRedirect(campaign.get_absolute_url())
        found = read(forecast, campaign)
        return TemplateResponse(
            request,
            "admin/campaigns/campaign/approval.html",
            self.admin_context(
                request,
                title=_t("Approve this campaign?"),
                original=campaign,
                campaign=campaign,
                asked=asked,
                preflight=found,
                forecast=forecast,
                is_changed=not approval.still_fits(asked, campaign),
                why_not=approval.why_not(acting_user(request), asked),
                **counting_context(campaign, forecast),
                **(figures_context(campaign, found) if found else {}),
            ),
        )

    def withdraw_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        campaign = self._open(request, pk, "withdraw")  # type: ignore[attr-defined]
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        try:
            approval.withdraw(campaign, actor=acting_user(request))
        except approval.ApprovalError as error:
            self.message_user(request, str(error), messages.WARNING)
        else:
            self.message_user(request, _t("Nobody is asked for approval any more."), messages.SUCCESS)
        return HttpResponseRedirect(campaign.get_absolute_url())

    # --- who is left out -------------------------------------------------------------------------------------

    def left_out_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Those whom this campaign leaves out for one reason, as it would be now."""
        campaign = self._open(request, pk, "left_out")  # type: ignore[attr-defined]
        reason, after = request.GET.get("reason", ""), request.GET.get("after", "")
        if reason not in SuppressionReason.values:
            return HttpResponseRedirect(action_url(campaign, "launch"))
        kept = running.latest(campaign)
        found = read(kept, campaign) if kept else None
        start = int(after) if after.isdecimal() else (found.tally.first_of.get(reason, 1) - 1 if found else 0)
        try:
            with running.usual_language():
                ids, further = people_left_out(Judge(running.question_about(campaign, "preflight")), reason, start)
        except (TemplateError, ConditionsError) as error:
            self.message_user(request, str(error), messages.ERROR)
            return HttpResponseRedirect(campaign.get_absolute_url())
        may_see = request.user.has_perm("campaigns.view_contact")
        return TemplateResponse(
            request,
            "admin/campaigns/campaign/left_out.html",
            self.admin_context(
                request,
                title=_t("Left out: %(reason)s") % {"reason": reason_label(reason)},
                original=campaign,
                people=_listed(ids, may_see),
                number=found.suppressed[reason] if found else None,
                further=f"{action_url(campaign, 'left_out')}?reason={reason}&after={further}" if further else "",
                back_url=action_url(campaign, "launch"),
            ),
        )

    # --- rehearsals ------------------------------------------------------------------------------------------

    def rehearsal_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """What the simulator would make of it. POST begins one, or throws it away."""
        campaign = self._open(request, pk, "rehearsal")  # type: ignore[attr-defined]
        if request.method == "POST":
            return self._rehearse(request, campaign)
        forecast = running.latest(campaign, ForecastKind.REHEARSAL)
        found = read(forecast, campaign) if forecast else None
        return TemplateResponse(
            request,
            "admin/campaigns/campaign/rehearsal.html",
            self.admin_context(
                request,
                title=_t("Rehearsal"),
                original=campaign,
                campaign=campaign,
                forecast=forecast,
                preflight=found,
                changed=running.outdated(forecast, campaign) if forecast and found else [],
                fates=_fates(found.tally) if found else [],
                duration=duration.foretell(campaign, found.tally) if found else None,
                **counting_context(campaign, forecast),
            ),
        )

    def _rehearse(self, request: HttpRequest, campaign: Campaign) -> HttpResponse:
        actor = acting_user(request)
        if "_discard" in request.POST:
            if running.throw_away(campaign, ForecastKind.REHEARSAL):
                audit.record("rehearsal_discarded", actor=actor, campaign=campaign, subject=campaign.name)
            self.message_user(request, _t("The rehearsal is thrown away."), messages.SUCCESS)
        elif "_begin" in request.POST:
            try:
                running.begin(campaign, ForecastKind.REHEARSAL, actor=actor)
            except (TemplateError, ConditionsError) as error:
                self.message_user(request, str(error), messages.ERROR)
            else:
                audit.record("rehearsal_begun", actor=actor, campaign=campaign, subject=campaign.name)
        return HttpResponseRedirect(action_url(campaign, "rehearsal"))


def people_left_out(judge: Judge, reason: str, after: int) -> tuple[list[int], int]:
    """Some who are left out for this reason, by id, and the id to look further from; 0: there are no more."""
    give_up_at = time.monotonic() + LOOK_SECONDS
    found: list[int] = []
    while rows := rows_of(judge.question.contacts(after), judge.texts, limit=CHUNK):
        for row, why, _text in judge.decide(rows):
            if why == reason:
                found.append(row[0])
                if len(found) == LISTED:
                    return found, row[0]
        after = rows[-1][0]
        if time.monotonic() > give_up_at:
            return found, after
    return found, 0


def _listed(ids: list[int], may_see: bool) -> list[tuple[Any, str]]:
    """Each with what to call them; numbers are hidden from those who may not see contacts."""
    contacts = Contact.objects.filter(pk__in=ids).order_by("pk")
    return [
        (contact if may_see else None, str(contact) if may_see else mask(contact.phone_number.as_e164))
        for contact in contacts
    ]


def _fates(tally: Any) -> list[dict[str, Any]]:
    """What became of how many, the most first."""
    whole = max(tally.recipients, 1)
    return [
        {
            "label": rehearsing.fate_label(outcome),
            "outcome": outcome,
            "reason": reason_label(reason) if reason else "",
            "people": n,
            "percent": count(round(100 * n / whole)),
            "examples": list(Contact.objects.filter(pk__in=tally.fate_examples[(outcome, reason)][:WORDS_SHOWN])),
        }
        for (outcome, reason), n in tally.fates.most_common()
    ]
