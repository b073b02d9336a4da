"""The page that says why a number got nothing from a campaign."""

from __future__ import annotations

from collections.abc import Mapping

from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _t

from campaigns.models import Contact, MessageStatus, SentMessage
from campaigns.why_not import Answer, Why, why_not
from campaigns.why_not_form import WhyNotForm

from .base import BaseAdmin
from .display import number, words

#: Longer ids than this there are none.
_MOST_DIGITS = 19
TONES = {
    Why.GOT_IT: "good",
    Why.ON_ITS_WAY: "sent",
    Why.WAITING: "waiting",
    Why.NOT_SENT_YET: "waiting",
    Why.UNKNOWN: "unsure",
    Why.NOT_ARRIVED: "bad",
    Why.REJECTED: "bad",
    Why.GIVEN_UP: "bad",
}


def why_not_page(model_admin: BaseAdmin, request: HttpRequest) -> TemplateResponse:
    """
    The form; with an answer under it once both were given.

    Other pages lead here with `contact` or `message`, so that no whole number stands in an address.
    """
    about = {name: request.GET[name] for name in ("contact", "message") if request.GET.get(name)}
    known = {number(one): one for one in [_number_of(about)] if one}
    asked = {name: request.GET[name] for name in ("number", "campaign") if request.GET.get(name)}
    for shown in known:
        asked.setdefault("number", shown)
    is_asked = {"number", "campaign"} <= set(asked) or "number" in request.GET
    form = WhyNotForm(asked if is_asked else None, initial=asked, known=known)
    answer = None
    if is_asked and form.is_valid():
        answer = why_not(form.cleaned_data["campaign"], form.cleaned_data["number"])
    return TemplateResponse(
        request,
        "admin/campaigns/sentmessage/why_not.html",
        model_admin.admin_context(
            request,
            title=_t("Why not?"),
            form=form,
            about=about,
            answer=answer,
            campaign=form.cleaned_data.get("campaign") if is_asked and answer else None,
            shown_number=number(form.cleaned_data["number"]) if answer else "",
            sentences=[words(sentence) for sentence in answer.sentences] if answer else [],
            title_of_answer=words(answer.title) if answer else "",
            tone=TONES.get(answer.why, "quiet") if answer else "",
            may_resend=answer is not None and _may_be_resent(answer),
        ),
    )


def _number_of(about: Mapping[str, str]) -> str:
    """The number of the contact or message that the question is about; empty when there is none."""
    for name, model in (("message", SentMessage), ("contact", Contact)):
        key = about.get(name, "")
        if key.isdecimal() and len(key) < _MOST_DIGITS:
            found = model._default_manager.filter(pk=key).values_list("phone_number", flat=True).first()
            return str(getattr(found, "as_e164", found) or "")
    return ""


def _may_be_resent(answer: Answer) -> bool:
    """Whether it is worth saying that a campaign can be sent again to those not reached."""
    over = {MessageStatus.FAILED, MessageStatus.UNDELIVERED, MessageStatus.UNKNOWN}
    return answer.message is not None and answer.message.status in over and answer.message.superseded_by_id is None
