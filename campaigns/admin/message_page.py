"""The page that answers for one message: what was sent, who asked for it, what was allowed, and all that happened."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from campaigns import masking
from campaigns.message_story import Story, story_of
from campaigns.models import (
    Attempt,
    AuditEvent,
    ConsentAct,
    ConsentChange,
    EventKind,
    InboundMessage,
    MessageEvent,
    MessageStatus,
    Purpose,
    SentMessage,
)
from campaigns.prices import price_table
from campaigns.reports import reason_label
from campaigns.standing import Standing

from .display import message_text, moment, number, object_link, raw, source_words, status_pill, words
from .trail import line_of


@dataclass(frozen=True)
class Step:
    """A line of a message's timeline."""

    at: datetime
    title: str
    details: str = ""
    raw: str = ""
    tone: str = "quiet"
    url: str = ""


def message_page(request: HttpRequest, message: SentMessage) -> dict[str, Any]:
    """What the template shows."""
    story = story_of(message, now=timezone.now())
    proof_url = _proof_url(message) if request.user.has_perm("campaigns.view_contact") else ""
    return {
        "shown_number": number(message.phone_number),
        "shown_text": message_text(message.body),
        "facts": list(facts(message)),
        "allowed": list(allowed(story, proof_url)),
        "timeline": timeline(story),
        "printed_at": timezone.now(),
        "printed_by": request.user,
        "why_not_url": _why_not_url(message),
    }


def _proof_url(message: SentMessage) -> str:
    if message.contact_id is None:
        return ""
    return f"{reverse('admin:campaigns_contact_change', args=[message.contact_id])}#consent-proof"


def _why_not_url(message: SentMessage) -> str:
    if message.campaign_id is None:
        return ""
    query = {"campaign": message.campaign_id, "message": message.pk}
    return reverse("admin:campaigns_sentmessage_why_not", query=query)


def facts(message: SentMessage) -> Iterable[tuple[str, Any]]:
    """What is to be said about a message besides its text, as pairs of words and values; empty ones left out."""
    asked_by = message.created_by or (message.campaign.launched_by if message.campaign else None)
    cost = f"{message.cost.normalize():f} {message.currency}".strip() if message.cost is not None else ""
    pairs = [
        (_t("Status"), status_pill(message)),
        (_t("Reason"), words(message.reason_display)),
        (_t("Number"), number(message.phone_number)),
        (_t("Contact"), object_link(message.contact) if message.contact else ""),
        (_t("Country"), message.region),
        (_t("Campaign"), object_link(message.campaign) if message.campaign else ""),
        (_t("Purpose"), message.get_purpose_display()),
        (_t("Written by"), message.campaign.created_by if message.campaign else None),
        (_t("Asked for by"), asked_by),
        (_t("Gateway"), message.gateway),
        (_t("Sender"), message.sender_id),
        (_t("Segments"), _segments(message)),
        (_t("Expected price"), _expected_price(message)),
        (_t("Cost"), cost),
        (_t("Our reference"), message.reference),
        (_t("Provider's message id"), message.provider_message_id),
        (_t("Not before"), moment(message.not_before) if message.not_before else ""),
        (_t("Receipt"), _t("overdue: the provider never said what became of it") if message.receipt_overdue else ""),
        (_t("Sent twice"), _t("yes, at least two attempts were taken") if message.sent_twice else ""),
    ]
    return ((name, value) for name, value in pairs if value)


def _expected_price(message: SentMessage) -> str:
    """To the last digit that matters: prices of a segment are often parts of a cent."""
    if message.price is None:
        return ""
    return f"{message.price.normalize():f} {price_table(message.gateway).currency}".strip()


def _segments(message: SentMessage) -> str:
    return f"{message.segment_count} ({message.encoding})" if message.segment_count else ""


def allowed(story: Story, proof_url: str) -> Iterable[tuple[str, Any]]:
    """What had been agreed to and refused when it was sent, and what is now, as pairs of words and values."""
    message = story.message
    yield _t("Consent when it was sent"), _consent_words(story.then, proof_url)
    if message.purpose == Purpose.CAMPAIGN and message.campaign is not None:
        yield _t("Kind of campaign"), message.campaign.get_kind_display()
    yield _t("Opted out when it was sent"), _opt_out_words(story.then)
    yield _t("Consent now"), _consent_words(story.now, "")
    yield _t("Opted out now"), _opt_out_words(story.now)


def _consent_words(standing: Standing, proof_url: str) -> str | SafeString:
    change = standing.consent
    if change is None:
        return _t("none on record")
    said = format_html("{} {}", _change_words(change), moment(change.happened_at))
    return format_html('{} <a href="{}">{}</a>', said, proof_url, _t("Proof")) if proof_url else said


def _opt_out_words(standing: Standing) -> str | SafeString:
    change = standing.opt_out
    return format_html("{} {}", _change_words(change), moment(change.happened_at)) if change else _t("no")


def _change_words(change: ConsentChange) -> str:
    """What, to which kind of messages, and where that came from."""
    kind = change.get_kind_display() if change.kind and change.act == ConsentAct.GIVEN else ""
    details = ", ".join(word for word in (kind, source_words(change.source)) if word)
    return f"{change.get_act_display()} ({details})" if details else str(change.get_act_display())


def timeline(story: Story) -> list[Step]:
    """
    Everything that is known to have happened to a message, oldest first.

    Providers tell the time in whole seconds, so steps of one second stand in the order in which they can follow.
    """
    message = story.message
    steps = [_act_step(act, message) for act in story.acts]
    steps += [_change_step(change) for change in story.changes]
    steps.append(Step(message.created_at, _t("Created")))
    for attempt in story.attempts:
        steps += _attempt_steps(attempt)
    steps += [_event_step(event) for event in story.events]
    steps += [_reply_step(reply) for reply in story.replies]
    decided_at = message.status_at or message.created_at
    if message.status == MessageStatus.SUPPRESSED:
        steps.append(Step(decided_at, _t("Not sent on purpose"), words(message.reason_display)))
    elif message.status == MessageStatus.CANCELLED:
        steps.append(Step(decided_at, _t("Cancelled before its turn came")))
    elif message.status == MessageStatus.FAILED:
        steps.append(Step(decided_at, _t("Given up"), words(message.reason_display), tone="bad"))
    steps.sort(key=lambda step: step.at.replace(microsecond=0))
    return steps


def _act_step(act: AuditEvent, message: SentMessage) -> Step:
    assert message.campaign is not None
    line = line_of(act, message.campaign)
    what = _t("%(who)s %(what)s the campaign") % {"who": line.who or _t("The schedule"), "what": line.what}
    return Step(act.at, what, line.details)


_CHANGE_TONES = {
    ConsentAct.GIVEN: "good",
    ConsentAct.WITHDRAWN: "bad",
    ConsentAct.OPTED_OUT: "bad",
    ConsentAct.OPTED_IN: "good",
}


def _change_step(change: ConsentChange) -> Step:
    by = _t("recorded by %(name)s") % {"name": change.actor} if change.actor else ""
    details = " · ".join(word for word in (message_text(change.evidence), by) if word)
    tone = _CHANGE_TONES.get(ConsentAct(change.act), "quiet")
    return Step(change.happened_at, _change_words(change), details, tone=tone)


def _reply_step(reply: InboundMessage) -> Step:
    url = reverse("admin:campaigns_inboundmessage_change", args=[reply.pk])
    return Step(reply.received_at, _t("The person answered"), message_text(reply.text), url=url)


OUTCOMES = {
    "accepted": (_("The provider took it"), "good"),
    "rejected": (_("The provider did not take it"), "bad"),
    "unknown": (_("Nobody knows whether the provider took it"), "unsure"),
}


#: What a provider says later, in our vocabulary (`DeliveryStatus`).
LATER_WORDS = {
    "accepted": _("accepted"),
    "delivered": _("delivered"),
    "undelivered": _("undelivered"),
    "expired": _("expired"),
    "rejected": _("rejected"),
    "unmapped": _("a word that is not known here"),
}


def _attempt_steps(attempt: Attempt) -> list[Step]:
    offered = _t("Attempt %(number)s: handed over to %(gateway)s") % {
        "number": attempt.number,
        "gateway": attempt.gateway,
    }
    steps = [Step(attempt.started_at, offered, _t("Reference %(reference)s") % {"reference": attempt.reference})]
    if attempt.finished_at is None:
        return steps
    title, tone = OUTCOMES.get(attempt.outcome, (attempt.outcome, "quiet"))
    said = " ".join(word for word in (attempt.error_code, masking.raw(attempt.error_text)) if word)
    if attempt.provider_message_id:
        said = " ".join(word for word in (said, _t("Id: %(id)s") % {"id": attempt.provider_message_id}) if word)
    answer = "" if attempt.raw is None else raw(attempt.raw)
    return [*steps, Step(attempt.finished_at, str(title), said, answer, tone)]


def _event_step(event: MessageEvent) -> Step:
    payload = event.payload if isinstance(event.payload, dict) else {"": event.payload}
    told = [payload.get(key) for key in ("status", "provider_status", "provider_text", "by")]
    reason = str(payload.get("reason") or "")
    ended = str(payload.get("ended") or "")
    told[2] = masking.raw(str(told[2] or ""))
    details = " · ".join(
        words(LATER_WORDS.get(str(word), word))
        for word in [*told, reason and reason_label(reason), ended and _t(ended)]
        if word
    )
    tone = {"delivered": "good", "undelivered": "bad", "expired": "bad", "rejected": "bad"}.get(
        str(payload.get("status")), "unsure" if event.kind == EventKind.UNKNOWN else "quiet"
    )
    return Step(event.at, str(event.get_kind_display()), details, raw(payload.get("raw") or event.payload), tone)
