"""The operator's word on messages of which nobody knows whether the provider took them: send again, or leave."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _t
from django.utils.translation import ngettext

from campaigns.models import EventKind, MessageStatus, SentMessage
from campaigns.sending.recovery import leave_unknown, resend_unknown

from .base import BaseAdmin, acting_user
from .display import count


def undecided(rows: QuerySet[SentMessage]) -> QuerySet[SentMessage]:
    """Those of unknown outcome about which nobody has decided yet."""
    return rows.filter(status=MessageStatus.UNKNOWN).exclude(events__kind=EventKind.LEFT)


def decide(
    model_admin: BaseAdmin, request: HttpRequest, rows: QuerySet[SentMessage], *, original: Model, back_url: str
) -> HttpResponse:
    """
    Answer a POST with `decision`: "leave" does it at once, "resend" asks first.

    `original` is what the rows belong to; its page at `back_url` is where it leads back to.
    """
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    ids = list(rows.values_list("pk", flat=True))
    actor = acting_user(request)
    if request.POST.get("decision") != "leave" and not request.user.has_perm("campaigns.resend_campaign"):
        raise PermissionDenied
    if request.POST.get("decision") == "leave":
        model_admin.message_user(request, _left(leave_unknown(ids, actor=actor)), messages.SUCCESS)
        return HttpResponseRedirect(back_url)
    if "confirm" in request.POST:
        model_admin.message_user(request, *_resent(resend_unknown(ids, actor=actor)))
        return HttpResponseRedirect(back_url)
    return TemplateResponse(
        request,
        "admin/campaigns/ask.html",
        model_admin.admin_context(
            request,
            title=_t("Send again?"),
            explanation=_warning(len(ids)),
            button=_t("Send again"),
            hidden=[("decision", "resend")],
            is_destructive=True,
            original=original,
            back_url=back_url,
        ),
    )


def _warning(number: int) -> str:
    return ngettext(
        "Nobody knows whether the provider took %(count)s message. If it did, that person gets it twice. "
        "Ask the provider, or look into its account, before you send it again.",
        "Nobody knows whether the provider took these %(count)s messages. Where it did, people get them twice. "
        "Ask the provider, or look into its account, before you send them again.",
        number,
    ) % {"count": count(number)}


def _resent(number: int) -> tuple[str, int]:
    if not number:
        return (
            _t("Nothing was sent again: the provider may still report on these messages. Try again in some minutes."),
            messages.WARNING,
        )
    sentence = ngettext(
        "%(count)s message is queued to be sent again.", "%(count)s messages are queued to be sent again.", number
    )
    return sentence % {"count": count(number)}, messages.SUCCESS


def _left(number: int) -> str:
    return ngettext(
        "%(count)s message stays as it is and will not be sent again.",
        "%(count)s messages stay as they are and will not be sent again.",
        number,
    ) % {"count": count(number)}
