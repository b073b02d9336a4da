"""
"Why did this number get nothing from this campaign?" One answer, in words, with the row or contact that proves it.

The log is asked first: since every campaign writes a row for everybody in its audience, a number without a row was not
in it, and then the groups that were asked for say why. Numbers are compared in their canonical form.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from django.db.models import Q
from django.utils.translation import gettext as _

from sms_backends.phone_numbers import canonical, spellings

from .advice import what_to_do
from .models import Campaign, CampaignStatus, Contact, FormerNumber, MessageStatus, SentMessage, SuppressionReason
from .optouts import find_opt_out
from .pseudonyms import pseudonyms_of
from .spoken_times import spoken
from .waiting import Wait, message_waits
from .why_not_audience import missing_from

S = MessageStatus


class Why(StrEnum):
    """What the answer is. Closed list."""

    GOT_IT = "got_it"
    ON_ITS_WAY = "on_its_way"
    NOT_ARRIVED = "not_arrived"
    REJECTED = "rejected"
    GIVEN_UP = "given_up"
    LEFT_OUT = "left_out"
    DUPLICATE = "duplicate"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"
    WAITING = "waiting"
    NOT_SENT_YET = "not_sent_yet"
    NOT_IN_AUDIENCE = "not_in_audience"
    NO_CONTACT = "no_contact"
    OTHER_NUMBER = "other_number"


@dataclass(frozen=True)
class Answer:
    """
    Why. `title` is it in one sentence, `sentences` say more; `waits` is what is waited for.

    `message` is the row that proves it, `other` another one that has to do with it (the same number, the one sent
    again), `contact` who has the number now.
    """

    why: Why
    title: str
    sentences: list[str] = field(default_factory=list)
    waits: list[Wait] = field(default_factory=list)
    message: SentMessage | None = None
    other: SentMessage | None = None
    contact: Contact | None = None


def why_not(campaign: Campaign, phone_number: str) -> Answer:
    """The answer for a number (E.164) and a campaign in whatever state, also one of years ago."""
    number = canonical(phone_number)
    rows = _rows(campaign, number)
    if rows:
        return _of_row(campaign, rows)
    contact = Contact.objects.filter(phone_number__in=spellings(number)).order_by("-pk").first()
    if contact is None:
        return _former_number(campaign, number) or _nobody(number)
    return _of_person(campaign, contact) or _not_in_audience(campaign, contact)


def _rows(campaign: Campaign, number: str) -> list[SentMessage]:
    """Those with this number, that of somebody who was erased among them; what was meant to be sent comes first."""
    numbers = [*spellings(number), *pseudonyms_of([number])]
    rows = SentMessage.objects.filter(campaign=campaign, phone_number__in=numbers)
    return list(rows.select_related("contact", "superseded_by__campaign").order_by("excluded", "-pk")[:10])


# --- there is a row --------------------------------------------------------------------------------------------------


def _of_row(campaign: Campaign, rows: list[SentMessage]) -> Answer:
    message = rows[0]
    answer = _BY_STATUS[S(message.status)](campaign, message)
    other = message.superseded_by
    sentences = list(answer.sentences)
    if other is not None:
        named = {"name": str(other.campaign), "status": other.get_status_display()}
        sentences.append(_("It was sent again in “%(name)s”; there it is %(status)s.") % named)
    elif len(rows) > 1:
        other = rows[1]
        sentences.append(_("The number is in this campaign more than once; only one of the messages may go out."))
    return Answer(answer.why, answer.title, sentences, answer.waits, message, answer.other or other, message.contact)


def _got_it(_campaign: Campaign, message: SentMessage) -> Answer:
    if message.status == S.DELIVERED:
        title = _("It got the message: delivered at %(at)s.") % {"at": spoken(message.status_at)}
        return Answer(Why.GOT_IT, title)
    title = _("The provider took it at %(at)s and has not said yet what became of it.") % {
        "at": spoken(message.sent_at)
    }
    overdue = [_("Its receipt is overdue: the provider never said it. Ask there, with the message id.")]
    return Answer(Why.ON_ITS_WAY, title, overdue if message.receipt_overdue else [])


def _handing_over(_campaign: Campaign, message: SentMessage) -> Answer:
    return Answer(Why.ON_ITS_WAY, _("It is being handed over to the provider in this moment."))


def _failed_later(_campaign: Campaign, message: SentMessage) -> Answer:
    title = _("It was sent at %(at)s but did not arrive: %(reason)s.") % {
        "at": spoken(message.sent_at),
        "reason": message.reason_display or message.get_status_display(),
    }
    return Answer(Why.NOT_ARRIVED, title, _advice(message))


def _rejected(_campaign: Campaign, message: SentMessage) -> Answer:
    title = _("The provider refused it at %(at)s: %(reason)s.") % {
        "at": spoken(message.status_at),
        "reason": message.reason_display or _("no reason given"),
    }
    return Answer(Why.REJECTED, title, _advice(message))


def _given_up(_campaign: Campaign, message: SentMessage) -> Answer:
    title = _("It was given up at %(at)s: %(reason)s.") % {
        "at": spoken(message.status_at),
        "reason": message.reason_display or _("no reason given"),
    }
    return Answer(Why.GIVEN_UP, title, _advice(message))


def _left_out(campaign: Campaign, message: SentMessage) -> Answer:
    if message.reason == SuppressionReason.DUPLICATE:
        return _duplicate(campaign, message)
    title = _("It was left out on purpose: %(reason)s.") % {"reason": message.reason_display}
    sentences = _advice(message)
    if message.reason == SuppressionReason.OPTED_OUT:
        sentences = [_opted_out(message.canonical_number) or _("The opt-out was lifted since.")]
    return Answer(Why.LEFT_OUT, title, sentences)


def _duplicate(campaign: Campaign, message: SentMessage) -> Answer:
    """The row that has it instead: of the same number, or of the same person."""
    same = Q(canonical_number=message.canonical_number)
    former = FormerNumber.objects.filter(phone_number=message.phone_number).values_list("contact", flat=True)
    if people := [pk for pk in [message.contact_id, *former] if pk is not None]:
        numbers = FormerNumber.objects.filter(contact__in=people).values("phone_number")
        same |= Q(contact__in=people) | Q(phone_number__in=numbers)
    others = SentMessage.objects.filter(same, campaign=campaign).exclude(pk=message.pk)
    other = others.order_by("excluded", "-pk").first()
    title = _("It was left out as a duplicate: the person or the number is in the campaign already.")
    sentences = [message.reason_text.capitalize() + "."] if message.reason_text else []
    if other is not None:
        sentences.append(_("The other message is %(status)s.") % {"status": other.get_status_display()})
    return Answer(Why.DUPLICATE, title, sentences, other=other)


def _cancelled(campaign: Campaign, message: SentMessage) -> Answer:
    title = _("The campaign was cancelled at %(at)s, before its turn came.") % {
        "at": spoken(campaign.ended_at or message.status_at)
    }
    return Answer(Why.CANCELLED, title, [campaign.pause_reason] if campaign.pause_reason else [])


def _unknown(_campaign: Campaign, message: SentMessage) -> Answer:
    title = _("Nobody knows whether the provider took it: %(reason)s.") % {
        "reason": message.reason_display or _("no clear answer came")
    }
    settling = _("It settles by itself, as far as the provider can tell; until then it is not sent again.")
    decide = _("It is not sent again on a guess. Somebody has to decide on the page of the message.")
    return Answer(Why.UNKNOWN, title, [settling if message.next_lookup_at else decide])


def _waiting(campaign: Campaign, message: SentMessage) -> Answer:
    return Answer(Why.WAITING, _("It waits to be sent."), waits=message_waits(message, campaign))


_BY_STATUS: dict[MessageStatus, Callable[[Campaign, SentMessage], Answer]] = {
    S.QUEUED: _waiting,
    S.CLAIMED: _waiting,
    S.SENDING: _handing_over,
    S.SENT: _got_it,
    S.DELIVERED: _got_it,
    S.UNDELIVERED: _failed_later,
    S.EXPIRED: _failed_later,
    S.REJECTED: _rejected,
    S.FAILED: _given_up,
    S.SUPPRESSED: _left_out,
    S.CANCELLED: _cancelled,
    S.UNKNOWN: _unknown,
}


def _advice(message: SentMessage) -> list[str]:
    found = what_to_do(message.status, message.reason)
    return [found] if found else []


def _opted_out(number: str) -> str:
    """When and how the number opted out; empty when it has not."""
    opt_out = find_opt_out(number)
    if opt_out is None:
        return ""
    how = opt_out.get_source_display()
    said = _("It opted out at %(at)s (%(how)s).") % {"at": spoken(opt_out.opted_out_at), "how": how}
    return f"{said} {opt_out.note}".strip()


# --- there is none ---------------------------------------------------------------------------------------------------


def _of_person(campaign: Campaign, contact: Contact) -> Answer | None:
    """The person is in the campaign with another number: it was changed since, or two contacts were merged."""
    message = SentMessage.objects.filter(campaign=campaign, contact=contact).order_by("excluded", "-pk").first()
    if message is None:
        return None
    title = _("The person is in the campaign with another number, which it had then.")
    sentences = [_("That message is %(status)s.") % {"status": message.get_status_display()}]
    return Answer(Why.OTHER_NUMBER, title, sentences, message=message, contact=contact)


def _former_number(campaign: Campaign, number: str) -> Answer | None:
    """Nobody has the number now; somebody had it."""
    former = FormerNumber.objects.filter(phone_number__in=spellings(number)).select_related("contact").first()
    if former is None:
        return None
    title = _("Nobody has this number any more: it was given up at %(at)s.") % {"at": spoken(former.until)}
    message = SentMessage.objects.filter(campaign=campaign, contact=former.contact).first()
    sentences = []
    if message is not None:
        named = {"status": message.get_status_display()}
        sentences.append(_("The person is in the campaign with another number; that message is %(status)s.") % named)
    return Answer(Why.OTHER_NUMBER, title, sentences, message=message, contact=former.contact)


def _nobody(number: str) -> Answer:
    sentences = [_("No message to it was ever written in this campaign. Add or import the contact first.")]
    if said := _opted_out(number):
        sentences.append(said)
    return Answer(Why.NO_CONTACT, _("There is no contact with this number."), sentences)


def _not_in_audience(campaign: Campaign, contact: Contact) -> Answer:
    sentences = missing_from(campaign, contact)
    if said := _opted_out(canonical(contact.phone_number.as_e164)):
        sentences.append(_("It would get nothing anyway. %(opt_out)s") % {"opt_out": said})
    if campaign.launched_at is None:
        title = _("The campaign has not been sent yet.")
        return Answer(Why.NOT_SENT_YET, title, sentences, contact=contact)
    if not campaign.frozen_at and campaign.status in {CampaignStatus.FREEZING, CampaignStatus.PAUSED}:
        title = _("The campaign is still being prepared: perhaps the contact's turn has not come.")
        return Answer(Why.NOT_SENT_YET, title, sentences, contact=contact)
    return Answer(Why.NOT_IN_AUDIENCE, _("It was not in the audience of the campaign."), sentences, contact=contact)
