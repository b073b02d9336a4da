"""
Second thoughts: above a size that the installation sets, the number is typed or a second person approves.

An approval is about a campaign as it was when it was asked for: text, audience, sender, gateway, money, hours and
schedule (`fingerprint`). Whatever starts a campaign asks `obstacle()` in the transaction that starts it, with the
campaign's row locked; what was changed since then needs another approval.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from . import audit
from .forecasting.foreseen import Foreseen, foresee, read
from .forecasting.running import latest, outdated, people_now
from .forecasting.words import people as people_in_words
from .models import EDITABLE, ENDED, Approval, ApprovalStatus, AuditEvent, Campaign, CampaignStatus, Forecast, User
from .preflight import group_ids, people_in_groups
from .prices import price_table
from .resendable import resend_sums
from .smart_groups import smart_conditions

PERMISSION = "campaigns.approve_campaign"
#: An approval covers growth of the groups by so much, and not an audience that nobody had in mind.
GROWTH = Decimal("1.1")
#: In place of a typed number: it was typed when the campaign was scheduled.
TYPED_BEFORE = "*"
#: What makes it another campaign. The groups come to it.
_FIELDS = (
    "body",
    "texts",
    "kind",
    "gateway",
    "sender_id",
    "window_start",
    "window_end",
    "window_days",
    "skip_holidays",
    "ends_at",
    "late_start",
    "max_per_second",
    "rate_unit",
    "spend_limit",
    "canary_size",
    "canary_wait_minutes",
    "canary_then",
    "brake_refused",
    "brake_undelivered",
    "brake_opt_outs",
)
#: Requests and answers that still stand.
_OPEN = (ApprovalStatus.WAITING, ApprovalStatus.APPROVED)
#: So many requests are looked at for a page that lists them.
MOST_SHOWN = 20
#: Acts that write a campaign's text or definition.
_WRITING = ("create", "change", "duplicate")


class ApprovalError(Exception):
    """It cannot be asked for or decided like this; the message says why to the one who tried."""


@dataclass(frozen=True, slots=True)
class Size:
    """How large a campaign is: those in its groups, those who get it, and what it costs (None: not known)."""

    people: int
    recipients: int
    segments: int
    cost: Decimal | None
    currency: str


def _is_above(size: Size, most_people: int | None, highest_cost: int | None) -> bool:
    if most_people is not None and size.recipients > most_people:
        return True
    # Unknown is unknown: it may be more.
    return highest_cost is not None and (size.cost is None or size.cost > highest_cost)


def must_be_typed(size: Size) -> bool:
    """Whether whoever sends so much types the number of people."""
    return _is_above(size, settings.SMS_CONFIRM_ABOVE_PEOPLE, settings.SMS_CONFIRM_ABOVE_COST)


def must_be_approved(size: Size) -> bool:
    """Whether a second person approves so much."""
    return _is_above(size, settings.SMS_APPROVAL_ABOVE_PEOPLE, settings.SMS_APPROVAL_ABOVE_COST)


def size_of(found: Foreseen) -> Size:
    """How large what was foreseen is."""
    cost = found.known_cost if found.prices else None
    return Size(found.audience, found.recipients, found.segments, cost, found.prices.currency)


def measured(campaign: Campaign) -> Size | None:
    """
    How large the campaign is now; None where no size of it needs a second thought.

    The forecast that is kept is taken where it still holds; otherwise the audience is counted now. Not in a
    transaction: at a million people that takes some seconds.
    """
    by_people = [it for it in (settings.SMS_CONFIRM_ABOVE_PEOPLE, settings.SMS_APPROVAL_ABOVE_PEOPLE) if it is not None]
    by_cost = [it for it in (settings.SMS_CONFIRM_ABOVE_COST, settings.SMS_APPROVAL_ABOVE_COST) if it is not None]
    if not by_people and not by_cost:
        return None
    kept = _holding(campaign)
    if found := read(kept, campaign) if kept is not None else None:
        return size_of(found)
    if not by_cost and (people_in_groups(campaign) or 0) <= min(by_people):
        return None
    return size_of(foresee(campaign))


def _holding(campaign: Campaign) -> Forecast | None:
    """The forecast of the campaign that is kept, if it still holds."""
    kept = latest(campaign)
    return kept if kept is not None and not outdated(kept, campaign) else None


def fingerprint(campaign: Campaign, starts_at: datetime | None) -> str:
    """Of what would be sent to whom, how and when; `starts_at` None means at once."""
    include, exclude = group_ids(campaign)
    smart = smart_conditions([*include, *exclude]).stored()["by_group"]
    parts = [
        {name: getattr(campaign, name) for name in _FIELDS},
        [sorted(include), sorted(exclude), smart],
        starts_at and starts_at.astimezone(timezone.get_default_timezone()).timestamp(),
    ]
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def is_ever_asked_for() -> bool:
    """Whether the installation asks for approval of anything."""
    return settings.SMS_APPROVAL_ABOVE_PEOPLE is not None or settings.SMS_APPROVAL_ABOVE_COST is not None


def measured_again(campaign: Campaign, statuses: Collection[str]) -> Size | None:
    """How large sending it again to its people in these states is; None where no size needs a second thought."""
    confirms = settings.SMS_CONFIRM_ABOVE_PEOPLE is not None or settings.SMS_CONFIRM_ABOVE_COST is not None
    return size_again(campaign, statuses) if confirms or is_ever_asked_for() else None


def size_again(campaign: Campaign, statuses: Collection[str]) -> Size:
    """The same, whatever the installation sets."""
    people, segments, cost = resend_sums(campaign, statuses)
    return Size(people, people, segments, cost, price_table(campaign.gateway).currency)


def _states(statuses: Collection[str]) -> str:
    """As an approval keeps them."""
    return ",".join(sorted(map(str, statuses)))


def _fingerprint_again(campaign: Campaign, again: str) -> str:
    """Of an ended campaign nothing changes any more but who was reached, which is counted."""
    return hashlib.sha256(json.dumps([campaign.pk, campaign.launch_token, again]).encode()).hexdigest()


def open_approval(campaign: Campaign) -> Approval | None:
    """
    The request that waits, or the approval that was given, whether or not it still fits the campaign.

    Of a campaign that has ended it is about sending it again.
    """
    found = campaign.approvals.filter(status__in=_OPEN)
    found = found.exclude(again="") if campaign.status in ENDED else found.filter(again="")
    return found.select_related("asked_by", "decided_by").first()


def still_fits(approval: Approval, campaign: Campaign) -> bool:
    """Whether the campaign is what was asked about, and has not grown beyond it."""
    if approval.again:
        if approval.fingerprint != _fingerprint_again(campaign, approval.again):
            return False
        return size_again(campaign, approval.again.split(",")).people <= approval.people * GROWTH
    if approval.fingerprint != fingerprint(campaign, approval.starts_at):
        return False
    return (people_now(campaign) or 0) <= approval.people * GROWTH


def obstacle(locked: Campaign, size: Size | None, starts_at: datetime | None, typed: str | None = None) -> str:
    """
    Why a campaign of this size may not start then, in words; empty when it may. `typed` is the number of people.

    Only in the transaction that starts it, with its row locked. An approval stands in for the typed number.
    """
    if size is None:
        return ""
    return _unapproved(locked, starts_at) if must_be_approved(size) else _untyped(size, typed)


def obstacle_again(locked: Campaign, size: Size | None, statuses: Collection[str], typed: str | None) -> str:
    """
    The same for sending an ended campaign again to its people in these states. An approval holds once.

    Only in the transaction that starts it, with its row locked.
    """
    if size is None:
        return ""
    if not must_be_approved(size):
        return _untyped(size, typed)
    if reason := _unapproved(locked, None, _states(statuses)):
        return reason
    _void(locked)
    return ""


def _untyped(size: Size, typed: str | None) -> str:
    if typed != TYPED_BEFORE and must_be_typed(size) and _digits(typed) != str(size.recipients):
        return _(
            "It goes to %(people)s. To send so much, type their number; nothing has been sent."
        ) % {"people": people_in_words(size.recipients)}  # fmt: skip
    return ""


def _digits(typed: str | None) -> str:
    """A number however it is grouped."""
    return "".join(str(int(c)) for c in typed or "" if c.isdecimal())


def _unapproved(locked: Campaign, starts_at: datetime | None, again: str = "") -> str:
    found = open_approval(locked)
    if found is None:
        return _("So large a campaign needs the approval of a second person. Ask for it; nothing has been sent.")
    if found.status == ApprovalStatus.WAITING:
        return _("It waits for approval; nothing has been sent.")
    if found.starts_at != starts_at or found.again != again or not still_fits(found, locked):
        return _("It was changed after it had been approved, so it needs another approval. Nothing has been sent.")
    return ""


def can_be_started(campaign: Campaign) -> bool:
    """Whether nothing of it was started: also of one whose time came when it could not be sent."""
    return campaign.status in EDITABLE or (campaign.status == CampaignStatus.PAUSED and not campaign.launch_token)


def ask(campaign: Campaign, found: Foreseen, *, actor: User, starts_at: datetime | None, question: str) -> Approval:
    """
    Ask for approval of the campaign as it was foreseen. An earlier request or approval becomes void.

    Raises ApprovalError when the campaign was changed since, or cannot be sent any more.
    """
    with transaction.atomic():
        locked = Campaign.objects.select_for_update().get(pk=campaign.pk)
        if not can_be_started(locked):
            raise ApprovalError(_("The campaign is %(status)s.") % {"status": locked.get_status_display()})
        if locked.updated_at != campaign.updated_at:
            raise ApprovalError(_("The campaign was changed in this moment. Look at it again."))
        _void(locked)
        size = size_of(found)
        approval = Approval.objects.create(
            campaign=locked,
            fingerprint=fingerprint(locked, starts_at),
            starts_at=starts_at,
            people=size.people,
            recipients=size.recipients,
            segments=size.segments,
            cost=size.cost,
            currency=size.currency,
            asked_by=actor,
            question=question.strip(),
        )
        details = {"people": size.recipients, "segments": size.segments, "cost": size.cost and str(size.cost)}
        audit.record("approval_asked", actor=actor, campaign=locked, subject=locked.name, details=details)
    return approval


def ask_again(campaign: Campaign, statuses: Collection[str], *, actor: User, question: str) -> Approval:
    """
    Ask for approval of sending an ended campaign again to its people in these states. Earlier requests become void.

    Raises ApprovalError when nobody is left.
    """
    size = size_again(campaign, statuses)
    with transaction.atomic():
        locked = Campaign.objects.select_for_update().get(pk=campaign.pk)
        if locked.status not in ENDED or not size.people:
            raise ApprovalError(_("There is nobody to send it to again."))
        _void(locked)
        again = _states(statuses)
        approval = Approval.objects.create(
            campaign=locked,
            fingerprint=_fingerprint_again(locked, again),
            again=again,
            people=size.people,
            recipients=size.recipients,
            segments=size.segments,
            cost=size.cost,
            currency=size.currency,
            asked_by=actor,
            question=question.strip(),
        )
        details = {"people": size.people, "segments": size.segments, "cost": size.cost and str(size.cost), "to": again}
        audit.record("approval_asked", actor=actor, campaign=locked, subject=locked.name, details=details)
    return approval


def _void(locked: Campaign) -> None:
    """What stands: of the campaign itself, or, once it has ended, of sending it again."""
    found = locked.approvals.filter(status__in=_OPEN)
    found = found.exclude(again="") if locked.status in ENDED else found.filter(again="")
    found.update(status=ApprovalStatus.VOID)


def withdraw(campaign: Campaign, *, actor: User) -> None:
    """Ask no more. Raises ApprovalError when nothing waits."""
    with transaction.atomic():
        locked = Campaign.objects.select_for_update().get(pk=campaign.pk)
        waiting = locked.approvals.filter(status=ApprovalStatus.WAITING)
        if not waiting.update(status=ApprovalStatus.VOID):
            raise ApprovalError(_("Nothing waits for approval any more."))
        audit.record("approval_withdrawn", actor=actor, campaign=locked, subject=locked.name)


def decide(approval: Approval, *, actor: User, is_approved: bool, answer: str = "") -> None:
    """
    A second person's word. Raises ApprovalError for somebody who may not, and for what has changed or was decided.
    """
    with transaction.atomic():
        campaign = Campaign.objects.select_for_update().get(pk=approval.campaign_id)
        locked = Approval.objects.select_for_update().get(pk=approval.pk)
        if locked.status != ApprovalStatus.WAITING:
            raise ApprovalError(_("This request is not open any more: it is %(status)s.") % {
                "status": locked.get_status_display()
            })  # fmt: skip
        if problem := why_not(actor, locked):
            raise ApprovalError(problem)
        if is_approved and not still_fits(locked, campaign):
            raise ApprovalError(_("The campaign was changed since it was asked for. It must be asked for anew."))
        if not is_approved and not answer.strip():
            raise ApprovalError(_("Say in a word why, so that it can be mended."))
        locked.status = ApprovalStatus.APPROVED if is_approved else ApprovalStatus.DECLINED
        locked.decided_by, locked.decided_at, locked.answer = actor, timezone.now(), answer.strip()
        locked.save()
        action = "approval_given" if is_approved else "approval_declined"
        details = {"people": locked.recipients, "answer": locked.answer, "asked_by": str(locked.asked_by or "")}
        audit.record(action, actor=actor, campaign=campaign, subject=campaign.name, details=details)
    approval.refresh_from_db()


def why_not(actor: User, approval: Approval) -> str:
    """Why this person may not decide, in words; empty when they may."""
    if not actor.has_perm(PERMISSION):
        return _("You may not approve campaigns.")
    if actor.pk == approval.asked_by_id:
        return _("You asked for it yourself: a second person decides.")
    if actor.pk in _writers(approval.campaign):
        return _("You have written or changed this campaign: a second person decides.")
    return ""


def _writers(campaign: Campaign) -> set[int | None]:
    """Everybody who had a hand in it, by the audit trail."""
    acts = AuditEvent.objects.filter(campaign=campaign, action__in=_WRITING, actor__isnull=False)
    return {campaign.created_by_id, *acts.values_list("actor", flat=True)}


def waiting_for(actor: User) -> list[Approval]:
    """The requests that this person can decide, the oldest first."""
    if not actor.has_perm(PERMISSION):
        return []
    return [approval for approval in waiting()[:MOST_SHOWN] if not why_not(actor, approval)]


def approved_for(actor: User) -> list[Approval]:
    """What this person asked for, was allowed, and has not sent yet."""
    found = Approval.objects.filter(
        Q(campaign__status=CampaignStatus.DRAFT) | ~Q(again=""), status=ApprovalStatus.APPROVED, asked_by=actor
    )
    shown = found.select_related("campaign", "decided_by").only("decided_at", "campaign__name", "decided_by__username")
    return list(shown.order_by("pk"))


def waiting(campaigns: Iterable[int] | None = None) -> QuerySet[Approval]:
    """Requests that nobody has decided, of campaigns that can still be sent."""
    can_be_sent = Q(again="", campaign__status__in=[*EDITABLE, CampaignStatus.PAUSED])
    can_be_sent |= ~Q(again="") & Q(campaign__status__in=ENDED)
    found = Approval.objects.filter(can_be_sent, status=ApprovalStatus.WAITING)
    if campaigns is not None:
        found = found.filter(campaign__in=list(campaigns))
    return found.select_related("campaign", "asked_by").order_by("pk")
