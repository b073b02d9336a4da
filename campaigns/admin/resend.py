"""Sending a campaign again to those whom it did not reach: how many they are, which of them, and the button."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _t

from campaigns.forms import ResendForm
from campaigns.lifecycle import LifecycleError
from campaigns.models import Campaign
from campaigns.prices import money, price_table
from campaigns.resending import left_of_limit, make_child, resendable_counts

from .base import BaseAdmin, acting_user


def resend(model_admin: BaseAdmin, request: HttpRequest, campaign: Campaign) -> HttpResponse:
    """Show the choice with its numbers; a confirmed choice starts the child and leads to its page."""
    counts = resendable_counts(campaign) if campaign.has_ended else {}
    if not counts:
        model_admin.message_user(request, _t("There is nobody to send it to again."), messages.WARNING)
        return HttpResponseRedirect(campaign.get_absolute_url())
    is_confirmed = "confirm" in request.POST
    form = ResendForm(request.POST if is_confirmed else None, counts=counts)
    if is_confirmed and form.is_valid():
        try:
            child = make_child(campaign, form.cleaned_data["statuses"], actor=acting_user(request))
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
            form=form,
            is_destructive=True,
            original=campaign,
            back_url=campaign.get_absolute_url(),
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
