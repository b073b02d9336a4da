"""
Repeat: where a provider takes a request once however often it comes, one of unknown outcome is offered again.

Under the reference that it had, and only if everything else is the same too: the recipients, their texts, the sender,
the account; and only as long as the provider surely remembers the reference. What was taken then is not taken again,
and what was not is taken now. If one of its messages must not or need not go any more, or has been settled, the others
would be another request: they are looked up, or left to the operator. For the rest it is a hand-over like every other,
with an attempt of its own and through the same gate.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from enum import Enum
from functools import cached_property

from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext_noop

from campaigns.audience import opted_out_numbers
from campaigns.consent import Rule, rule_for, under_review, without_consent
from campaigns.gateway_control import is_on_trial, note_success, react_to
from campaigns.identity import may_send
from campaigns.models import (
    Attempt,
    Campaign,
    CampaignStatus,
    EventKind,
    GatewayState,
    MessageEvent,
    MessageStatus,
    Purpose,
    SentMessage,
)
from campaigns.resendable import reached_before
from campaigns.windows import closed_to, window_of
from sms_backends import BaseSmsBackend
from sms_backends.guard import refusals

from .claim import ClaimedMessage
from .clock import TOLERANCE
from .handover import INTENT_SECONDS, Intent, divide, write_repetition
from .openings import is_over
from .pacing import limits_of, reserve
from .pipeline import Pipeline
from .slots import request_slots
from .verdicts import Then, Verdict

logger = logging.getLogger(__name__)

#: Waits after each hand-over of a request that ended in doubt, in seconds; then it is not offered again.
REPEAT_SECONDS = (30, 120, 600, 1800)
#: What stands in the way for now is looked at again after this.
AGAIN = timedelta(seconds=60)


class Obstacle(Enum):
    """Why a request is not offered again; the page of a message says it."""

    #: It may be later.
    FOR_NOW = "not now"
    SETTLED = gettext_noop("one of its messages is settled")
    DECIDED = gettext_noop("an operator has decided upon one of its messages")
    UNWANTED = gettext_noop("one of its people must not be written to any more")
    OTHER_ACCOUNT = gettext_noop("another account")
    OTHER_REQUEST = gettext_noop("it would not be the same request")
    FORGOTTEN = gettext_noop("too long ago")
    TRIES_USED = gettext_noop("all tries used")
    CAMPAIGN_ENDED = gettext_noop("the campaign has ended")


@dataclass
class _Request:
    """What was once handed over under one reference, as it stands now."""

    reference: str
    backend: BaseSmsBackend
    messages: list[SentMessage]
    attempts: list[Attempt]

    @classmethod
    def read(cls, reference: str, backend: BaseSmsBackend, *, lock: bool = False) -> _Request:
        """`lock`: as it will stand until the end of the transaction, which must be there."""
        of_request = Attempt.objects.filter(reference=reference, gateway=backend.alias).values("message")
        messages = SentMessage.objects.filter(pk__in=of_request).order_by("pk")
        if lock:
            messages = messages.select_for_update(of=("self",))
        # The attempts after the lock: another sweeper may have offered it again meanwhile.
        found = list(messages)
        attempts = Attempt.objects.filter(reference=reference, gateway=backend.alias).order_by("number", "pk")
        return cls(reference, backend, found, list(attempts))

    @property
    def ids(self) -> list[int]:
        return [message.pk for message in self.messages]

    @cached_property
    def campaign(self) -> Campaign | None:
        campaign_id = self.messages[0].campaign_id
        return None if campaign_id is None else Campaign.objects.get(pk=campaign_id)

    @property
    def is_urgent(self) -> bool:
        return self.messages[0].purpose != Purpose.CAMPAIGN

    @property
    def hand_overs(self) -> int:
        """How often it was offered. Each time it was the whole, so any of its messages tells."""
        return sum(one.message_id == self.messages[0].pk for one in self.attempts)

    @property
    def due_at(self) -> datetime:
        """When it is to be offered again at the earliest."""
        last = max(one.finished_at or one.started_at for one in self.attempts)
        return last + timedelta(seconds=REPEAT_SECONDS[min(self.hand_overs, len(REPEAT_SECONDS)) - 1])

    def claimed(self) -> list[ClaimedMessage]:
        names = [one.name for one in fields(ClaimedMessage)]
        return [ClaimedMessage(*(getattr(message, name) for name in names)) for message in self.messages]

    def obstacle(self) -> Obstacle | None:
        """What stands in the way of offering it again; for good before for now."""
        return self._not_the_same() or self._forgotten() or self._not_wanted() or self._not_now()

    def _not_the_same(self) -> Obstacle | None:
        if not self.messages or any(message.status != MessageStatus.UNKNOWN for message in self.messages):
            return Obstacle.SETTLED
        if any(message.reference != self.reference or message.superseded_by_id for message in self.messages):
            return Obstacle.DECIDED
        if MessageEvent.objects.filter(message__in=self.ids, kind=EventKind.LEFT).exists():
            return Obstacle.DECIDED
        if {one.account for one in self.attempts} != {self.backend.account_fingerprint()}:
            return Obstacle.OTHER_ACCOUNT
        # What an adapter takes in one request may have been changed.
        return None if len(divide(self.claimed(), self.backend.capabilities)) == 1 else Obstacle.OTHER_REQUEST

    def _forgotten(self) -> Obstacle | None:
        capabilities, now = self.backend.capabilities, timezone.now()
        first = min(one.started_at for one in self.attempts)
        latest = now + timedelta(seconds=INTENT_SECONDS + capabilities.request_seconds) + TOLERANCE
        # A first time that lies in the future: the clock was set back, and nobody knows how old it is.
        if first > now or latest > first + capabilities.idempotency_lifetime:
            return Obstacle.FORGOTTEN
        return Obstacle.TRIES_USED if self.hand_overs > len(REPEAT_SECONDS) else None

    def _not_wanted(self) -> Obstacle | None:
        # The confirmation of an opt-out goes to one who has opted out.
        others = {one.canonical_number for one in self.messages if one.purpose != Purpose.CONFIRMATION}
        if opted_out_numbers(others) or self._lack_consent():
            return Obstacle.UNWANTED
        # `SMSMessage` would leave them out.
        if refusals(message.phone_number for message in self.messages):
            return Obstacle.UNWANTED
        return Obstacle.UNWANTED if SentMessage.objects.filter(reached_before(), pk__in=self.ids).exists() else None

    def _lack_consent(self) -> bool:
        rule = rule_for(self.campaign.kind if self.campaign is not None else "")
        mine = SentMessage.objects.filter(pk__in=self.ids)
        return rule != Rule.NOTHING and mine.filter(Q(without_consent(rule)) | Q(under_review())).exists()

    def _not_now(self) -> Obstacle | None:
        if self.campaign is not None:
            if self.campaign.status == CampaignStatus.PAUSED:
                return Obstacle.FOR_NOW
            if self.campaign.status != CampaignStatus.SENDING or is_over(self.campaign):
                return Obstacle.CAMPAIGN_ENDED
            closed = closed_to(window_of(self.campaign), self.campaign.time_zones, timezone.now())
            if closed and SentMessage.objects.filter(closed, pk__in=self.ids).exists():
                return Obstacle.FOR_NOW
        # Not one that rests because of its spend limit: this costs nothing that is not counted already.
        shut = Q(paused_at__isnull=False) | Q(held_until__gt=Now())
        if self.due_at > timezone.now() or GatewayState.objects.filter(shut, alias=self.backend.alias).exists():
            return Obstacle.FOR_NOW
        return None


class _Once:
    """The request, if it may still go when its intent is written."""

    def __init__(self, request: _Request) -> None:
        self._request = request
        self.obstacle: Obstacle | None = None
        self.is_exhausted = False

    def intents(self, room: int) -> list[Intent]:
        self.is_exhausted = True
        request = _Request.read(self._request.reference, self._request.backend, lock=True)
        self.obstacle = request.obstacle()
        if self.obstacle is not None:
            return []
        of_child = request.campaign is not None and request.campaign.parent_id is not None
        intent = write_repetition(request.claimed(), request.reference, request.backend, of_child=of_child)
        if intent is None:
            self.obstacle = Obstacle.FOR_NOW  # the campaign or the gateway was stopped in this very moment
            return []
        return [intent]


def repeat(references: Sequence[str], backend: BaseSmsBackend, give_up: float, *, leave: bool) -> int:
    """
    Offer these requests of a gateway again, one after the other, each if it may be. Returns how many messages settled.

    None is begun after `give_up` (of the monotonic clock). `leave`: what can never be repeated is left to the operator,
    because nothing else can settle it; without it nothing is changed. Call it outside a transaction.
    """
    settled = 0
    for reference in references:
        if time.monotonic() > give_up or not may_send():
            break
        request = _Request.read(reference, backend)
        obstacle = request.obstacle()
        if obstacle is None:
            obstacle = _offer(request)
        if obstacle is None:
            settled += SentMessage.objects.filter(pk__in=request.ids).exclude(status=MessageStatus.UNKNOWN).count()
        elif leave:
            _put_off_or_leave(request, obstacle)
    return settled


def _offer(request: _Request) -> Obstacle | None:
    """One more hand-over. What stood in the way after all, if anything did."""
    backend = request.backend
    limits = limits_of(backend.alias, request.messages[0].campaign_id)
    time_slots = reserve(limits, request.messages, urgent=request.is_urgent)
    if time_slots is None:
        return Obstacle.FOR_NOW
    time_slots.wait()
    feed = _Once(request)
    with request_slots(backend, urgent=request.is_urgent, alone=is_on_trial(backend.alias)) as granted:
        if not granted:
            return Obstacle.FOR_NOW
        pipeline = Pipeline(backend, width=1, react=lambda verdict: _react(verdict, backend.alias))
        go_on = pipeline.run(feed)
    if go_on and pipeline.has_answers:
        note_success(backend.alias)
    return feed.obstacle


def _react(verdict: Verdict, alias: str) -> bool:
    """
    False when nothing more should be offered now.

    A refusal of the campaign's text or of several recipients settles nothing here, and the next request of the campaign
    meets it too.
    """
    if verdict.then is Then.TEND_GATEWAY and verdict.error is not None:
        react_to(alias, verdict.error)
    return verdict.error is None


def _put_off_or_leave(request: _Request, obstacle: Obstacle) -> None:
    waiting = SentMessage.objects.filter(
        pk__in=request.ids,
        status=MessageStatus.UNKNOWN,
        reference=request.reference,
        next_lookup_at__isnull=False,
    )
    if obstacle is Obstacle.FOR_NOW:
        waiting.update(next_lookup_at=max(request.due_at, timezone.now() + AGAIN))
        return
    left = list(waiting.values_list("pk", flat=True))
    waiting.filter(pk__in=left).update(next_lookup_at=None)
    MessageEvent.objects.bulk_create(
        [MessageEvent(message_id=pk, kind=EventKind.UNKNOWN, payload={"ended": obstacle.value}) for pk in left]
    )
