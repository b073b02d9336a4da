"""Before a campaign is sent: the page that says exactly what will happen, and the ways on from there."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect, JsonResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext as _t

from campaigns import approval, balances, lifecycle
from campaigns.composing import TemplateError
from campaigns.forecasting import duration, running
from campaigns.forecasting.findings import Finding, left_today, situation
from campaigns.forecasting.foreseen import Foreseen, read
from campaigns.forms import ScheduleForm
from campaigns.languages import language_name
from campaigns.lifecycle import LaunchRefused, LifecycleError, NotYetAllowed
from campaigns.models import ApprovalStatus, Campaign, Forecast, ForecastKind, ForecastStatus
from campaigns.preflight import group_ids, launch_problems
from campaigns.reports import reason_label, workers_alive
from campaigns.smart_groups import ConditionsError
from campaigns.writing_form import campaign_version, changed_meanwhile

from .base import BaseAdmin, acting_user
from .campaign_urls import action_url
from .display import moment

#: Seconds between two looks at a forecast that is being counted.
POLL_SECONDS = 0.5


class CampaignSending(BaseAdmin):
    """Look, then send now or later, or ask for approval."""

    def launch_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        campaign = self._open(request, pk, "launch")  # type: ignore[attr-defined]
        if "_ask" in request.POST:
            return self._ask_for_approval(request, campaign, None)
        if "confirm" in request.POST:
            return self._launch(request, campaign)
        if "launch" not in lifecycle.allowed_actions(campaign):
            return self._already_started(request, campaign)
        return self._send_page(request, campaign)

    def schedule_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        campaign = self._open(request, pk, "schedule")  # type: ignore[attr-defined]
        if "schedule" not in lifecycle.allowed_actions(campaign):
            return self._already_started(request, campaign)
        is_confirmed = "confirm" in request.POST
        form = ScheduleForm(request.POST if is_confirmed else None, initial={"at": _planned(campaign)})
        if not is_confirmed or not form.is_valid():
            return self._send_page(request, campaign, form)
        if "_ask" in request.POST:
            return self._ask_for_approval(request, campaign, form.cleaned_data["at"])
        return self._schedule(request, campaign, form)

    # --- looking ---------------------------------------------------------------------------------------------

    def _send_page(self, request: HttpRequest, campaign: Campaign, form: Any = None) -> TemplateResponse:
        """What will be sent to whom, and the one button that does it; how far it is counted, before that."""
        forecast: Forecast | None = None
        with suppress(TemplateError, ConditionsError):  # then it is among the problems
            forecast = running.holding(campaign, actor=acting_user(request))
        known = running.known_of(forecast) if forecast is not None else None
        problems = launch_problems(campaign, *group_ids(campaign), known)
        found = read(forecast, campaign) if forecast is not None and not problems else None
        context = {
            "title": _t("Send later") if form else _t("Send now?"),
            "original": campaign,
            "campaign": campaign,
            "problems": problems,
            "forecast": forecast,
            "form": form,
            "version": campaign_version(campaign),
            "time_zone": timezone.get_current_timezone_name(),
            **counting_context(campaign, forecast),
            **(self._found_context(request, campaign, forecast, found, form) if forecast and found else {}),
        }
        return TemplateResponse(request, "admin/campaigns/campaign/send.html", self.admin_context(request, **context))

    def _found_context(
        self, request: HttpRequest, campaign: Campaign, forecast: Forecast, found: Foreseen, form: Any
    ) -> dict[str, Any]:
        size = approval.size_of(found)
        needs_approval = approval.must_be_approved(size)
        given = approval.open_approval(campaign) if needs_approval else None
        is_given = (
            given is not None
            and given.status == ApprovalStatus.APPROVED
            and (given.starts_at is None) == (form is None)
            and approval.still_fits(given, campaign)
        )
        return {
            **figures_context(campaign, found),
            "preflight": found,
            "basis": running.basis(forecast),
            "fewer": running.fewer_since(forecast),
            "needs_approval": needs_approval,
            "approval": given,
            "is_approved": is_given,
            "must_type": not needs_approval and approval.must_be_typed(size),
            "button": _t("Schedule %(what)s") % {"what": found.in_words()}
            if form
            else _t("Send %(what)s") % {"what": found.in_words()},
        }

    def forecast_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """How far a forecast is counted, for the page that waits for it."""
        campaign = self._open(request, pk, "forecast")  # type: ignore[attr-defined]
        kind = request.GET.get("kind", "")
        forecast = running.latest(campaign, kind if kind in ForecastKind.values else ForecastKind.PREFLIGHT)
        if forecast is None:
            return JsonResponse({"status": "gone"})
        return JsonResponse(
            {
                "status": forecast.status,
                "done": running.done_count(forecast),
                "people": forecast.people,
                "words": counted_words(forecast),
            }
        )

    def recount_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Count anew: what the figures come from can change without anybody touching the campaign."""
        campaign = self._open(request, pk, "recount")  # type: ignore[attr-defined]
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        try:
            running.begin(campaign, actor=acting_user(request))
        except (TemplateError, ConditionsError) as error:
            self.message_user(request, str(error), messages.ERROR)
        return HttpResponseRedirect(action_url(campaign, "launch"))

    # --- sending ---------------------------------------------------------------------------------------------

    def _launch(self, request: HttpRequest, campaign: Campaign) -> HttpResponse:
        """
        Start what the operator saw, once.

        Under lock: a text changed or people added after the page was shown are sent only after another look.
        """
        with transaction.atomic():
            locked = Campaign.objects.select_for_update().get(pk=campaign.pk)
            outdated = self._outdated(request, locked, by_person=True) if locked.is_editable else ""
            if outdated:
                self.message_user(request, outdated, messages.ERROR)
                return HttpResponseRedirect(action_url(campaign, "launch"))
            try:
                started = lifecycle.launch(locked, actor=acting_user(request), typed=request.POST.get("typed"))
            except LaunchRefused as refused:
                for problem in refused.problems:
                    self.message_user(request, problem, messages.ERROR)
                return HttpResponseRedirect(action_url(campaign, "launch"))
            except LifecycleError as error:
                self.message_user(request, str(error), messages.ERROR)
                again = isinstance(error, NotYetAllowed)
                return HttpResponseRedirect(action_url(campaign, "launch") if again else campaign.get_absolute_url())
        if not started:
            return self._already_started(request, locked)
        self.message_user(
            request,
            _t("“%(name)s” is on its way. This page shows how it goes.") % {"name": campaign.name},
            messages.SUCCESS,
        )
        return HttpResponseRedirect(campaign.get_absolute_url())

    def _outdated(self, request: HttpRequest, campaign: Campaign, *, by_person: bool = False) -> str:
        """Why what was confirmed is not what would be sent; empty when it is."""
        again = _t("Look at the figures again; nothing has been sent.")
        kept = running.latest(campaign)
        changed = running.outdated(kept, campaign, by_person=by_person) if kept else []
        if request.POST.get("version") != campaign_version(campaign):
            return " ".join([changed_meanwhile(campaign.updated_at), *changed])
        if kept is not None and kept.status == ForecastStatus.COUNTING:
            return f"{_t('It is still being counted.')} {again}"
        if kept is None or running.basis(kept) != request.POST.get("forecast"):
            counted = _t("The figures were counted anew after you opened this page.")
            return f"{counted} {again}"
        return " ".join([*changed, again]) if changed else ""

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

    def _schedule(self, request: HttpRequest, campaign: Campaign, form: ScheduleForm) -> HttpResponse:
        at = form.cleaned_data["at"]
        if outdated := self._outdated(request, campaign):
            self.message_user(request, outdated, messages.ERROR)
            return HttpResponseRedirect(action_url(campaign, "schedule"))
        try:
            lifecycle.schedule(campaign, at, actor=acting_user(request), typed=request.POST.get("typed"))
        except LifecycleError as error:
            form.add_error(None, str(error))
            return self._send_page(request, campaign, form)
        sentence = format_html(_t("“{}” starts by itself at {}."), campaign.name, moment(at))
        self.message_user(request, sentence, messages.SUCCESS)
        return HttpResponseRedirect(campaign.get_absolute_url())

    def _ask_for_approval(self, request: HttpRequest, campaign: Campaign, at: datetime | None) -> HttpResponse:
        back = action_url(campaign, "schedule" if at else "launch")
        kept = running.latest(campaign)
        found = read(kept, campaign) if kept else None
        outdated = self._outdated(request, campaign)
        if outdated or found is None:
            self.message_user(request, outdated or _t("It is still being counted."), messages.ERROR)
            return HttpResponseRedirect(back)
        try:
            asked = approval.ask(
                campaign, found, actor=acting_user(request), starts_at=at, question=request.POST.get("question", "")
            )
        except approval.ApprovalError as error:
            self.message_user(request, str(error), messages.ERROR)
            return HttpResponseRedirect(back)
        sentence = _t("“%(name)s” waits for approval. Whoever may approve sees it on their start page.")
        self.message_user(request, sentence % {"name": asked.campaign.name}, messages.SUCCESS)
        return HttpResponseRedirect(campaign.get_absolute_url())


def _planned(campaign: Campaign) -> datetime | None:
    """The time to begin a schedule's form with: the one that was asked for or approved, else the one that is set."""
    found = approval.open_approval(campaign)
    return (found.starts_at if found else None) or campaign.scheduled_at


def counting_context(campaign: Campaign, forecast: Forecast | None) -> dict[str, Any]:
    """What a page that waits for a forecast needs."""
    if forecast is None or forecast.status != ForecastStatus.COUNTING:
        return {"is_counting": False}
    return {
        "is_counting": True,
        "done": running.done_count(forecast),
        "counted": counted_words(forecast),
        "forecast_url": f"{action_url(campaign, 'forecast')}?kind={forecast.kind}",
        "poll_milliseconds": round(POLL_SECONDS * 1000),
        "no_worker": not workers_alive(),
    }


def counted_words(forecast: Forecast) -> str:
    """How far it is, in words."""
    from .display import count

    return _t("%(done)s of %(people)s people are counted.") % {
        "done": count(running.done_count(forecast)),
        "people": count(forecast.people),
    }


def figures_context(campaign: Campaign, found: Foreseen) -> dict[str, Any]:
    """Everything that is shown of a forecast."""
    took = duration.foretell(campaign, found.tally)
    findings: list[Finding] = [*found.findings, *situation(campaign, found.at_most, found.prices)]
    limit = left_today(campaign.gateway)
    return {
        "left_out": [
            (reason_label(reason), number, f"{action_url(campaign, 'left_out')}?reason={reason}")
            for reason, number in found.suppressed.most_common()
        ],
        "by_language": [
            (language_name(language) if language else _t("all other languages"), number)
            for language, number in found.languages.most_common()
        ],
        "findings": findings,
        "duration": took,
        "balance": balances.refresh(campaign.gateway),
        "left_today": limit[0] if limit else None,
        "day_limit": limit[1] if limit else None,
    }
