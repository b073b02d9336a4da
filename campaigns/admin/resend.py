"""Sending a campaign again to those whom it did not reach: how many they are, which of them, and the button."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _t

from campaigns import approval
from campaigns.forms import ResendForm
from campaigns.lifecycle import LifecycleError
from campaigns.models import Approval, Campaign
from campaigns.prices import money, price_table
from campaigns.resendable import RESENDABLE, resendable_counts
from campaigns.resending import left_of_limit, make_child

from .base import BaseAdmin, acting_user


def resend(model_admin: BaseAdmin, request: HttpRequest, campaign: Campaign) -> HttpResponse:
    """Show the choice with its numbers; a confirmed choice starts the child and leads to its page."""
    counts = resendable_counts(campaign) if campaign.has_ended else {}
    if not counts:
        model_admin.message_user(request, _t("There is nobody to send it to again."), messages.WARNING)
        return HttpResponseRedirect(campaign.get_absolute_url())
    is_confirmed = "confirm" in request.POST
    largest = approval.measured_again(campaign, counts)
    asked = approval.open_approval(campaign) if largest else None
    initial = {"statuses": asked.again.split(",")} if asked else {}
    form = ResendForm(request.POST if is_confirmed else None, counts=counts, largest=largest, initial=initial)
    if is_confirmed and form.is_valid() and "_ask" in request.POST:
        return _ask(model_admin, request, campaign, form)
    if is_confirmed and form.is_valid():
        typed, statuses = form.cleaned_data.get("typed"), form.cleaned_data["statuses"]
        try:
            child = make_child(campaign, statuses, actor=acting_user(request), typed=typed)
        except LifecycleError as error:
            form.add_error(None, str(error))
        else:
            sentence = _t("“%(name)s” is on its way. This page shows how it goes.") % {"name": child.name}
            model_admin.message_user(request, sentence, messages.SUCCESS)
            return HttpResponseRedirect(child.get_absolute_url())
    return TemplateResponse(
        request,
        "admin/campaigns/ask.html",
        model_admin.admin_context(
            request,
            title=_t("Send again to those who were not reached?"),
            explanation=_explanation(campaign),
            button=_t("Send again"),
            ask_button=_t("Ask for approval") if "question" in form.fields else "",
            form=form,
            is_destructive=True,
            original=campaign,
            back_url=campaign.get_absolute_url(),
        ),
    )


def _ask(model_admin: BaseAdmin, request: HttpRequest, campaign: Campaign, form: ResendForm) -> HttpResponse:
    """Let a second person decide about this choice."""
    chosen = form.cleaned_data
    try:
        approval.ask_again(
            campaign, chosen["statuses"], actor=acting_user(request), question=chosen.get("question", "")
        )
    except approval.ApprovalError as error:
        model_admin.message_user(request, str(error), messages.ERROR)
    else:
        sentence = _t("A second person was asked to approve “%(name)s”. Whoever may will see it on the start page.")
        model_admin.message_user(request, sentence % {"name": campaign.name}, messages.SUCCESS)
    return HttpResponseRedirect(campaign.get_absolute_url())


def again_page(model_admin: BaseAdmin, request: HttpRequest, asked: Approval) -> HttpResponse:
    """What a second person sees of a request to send a campaign again, with the figures as they are now."""
    campaign, statuses = asked.campaign, asked.again.split(",")
    size = approval.size_again(campaign, statuses)
    counts = resendable_counts(campaign)
    return TemplateResponse(
        request,
        "admin/campaigns/campaign/approval_again.html",
        model_admin.admin_context(
            request,
            title=_t("Approve sending this campaign again?"),
            original=campaign,
            campaign=campaign,
            asked=asked,
            size=size,
            cost=money(size.cost, size.currency) if size.cost is not None else _t("not known"),
            chosen=[(status.label, counts.get(status, 0)) for status in RESENDABLE if status in statuses],
            is_changed=not approval.still_fits(asked, campaign),
            why_not=approval.why_not(acting_user(request), asked),
        ),
    )


def _explanation(campaign: Campaign) -> str:
    sentence = _t(
        "A new campaign with the same text starts at once. Whoever was reached is not in it, nor are people "
        "who have opted out or are no contacts any more. Where a message is unknown, nobody can say that the "
        "person does not have it already."
    )
    left = left_of_limit(campaign)
    if left is None:
        return sentence
    words = _t("It may cost what this one has left of its spend limit: %(left)s.")
    return f"{sentence} {words % {'left': money(left, price_table(campaign.gateway).currency)}}"
