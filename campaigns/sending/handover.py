"""
Hand over: an intent is committed before each request; only rows that the intent's update returns may be sent.

The intent is the gate: it asks once more, in one statement, for our token and lease, the campaign's state, the gateway
and the opt-outs. From its commit to the recorded answer a row is `sending`; a crash in between leaves it `unknown`,
never queued.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from django.db import transaction
from django.db.models import DateField, Exists, Expression, F, Func, OuterRef, Q
from django.db.models.functions import Now
from django.utils import timezone

from campaigns.consent import Rule, rule_for, under_review, without_consent
from campaigns.languages import has_one_text
from campaigns.models import (
    Attempt,
    Campaign,
    CampaignStatus,
    GatewayState,
    MessageStatus,
    OptOut,
    Purpose,
    SentMessage,
    SuppressionReason,
)
from campaigns.pseudonyms import Pseudonym
from campaigns.resendable import reached_before
from campaigns.spent import today
from campaigns.suppression import leave_unsent
from sms_backends import BaseSmsBackend, Capabilities

from .bulk_insert import bulk_insert
from .claim import BULK_BATCH, Claim, ClaimedMessage, Work, new_token
from .compiled import Among, Mark, Statement, compiled, listed, text_of_key
from .leases import LEASE

#: A request must begin within this time after its intent: a process that slept longer gives its rows back unsent.
INTENT_SECONDS = 5.0
#: Goes on while the machine sleeps. Where there is none (macOS) the monotonic clock does.
_BOOT_CLOCK: int = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class AttemptKey(NamedTuple):
    """Which row of `Attempt`."""

    message_id: int
    number: int


@dataclass(frozen=True, slots=True)
class Intent:
    """Rows that may be sent in one request under one reference, each with its attempt, in the same order."""

    reference: str
    token: str
    messages: list[ClaimedMessage]
    attempts: list[AttemptKey]
    wall_clock: float
    boot_clock: float
    #: Of a request that was made before under this reference: "duplicate" means that it was taken then.
    is_repetition: bool = False

    def is_fresh(self) -> bool:
        """False when this process stood still since the intent: somebody else may hold the rows by now."""
        return (
            0 <= time.time() - self.wall_clock < INTENT_SECONDS
            and time.clock_gettime(_BOOT_CLOCK) - self.boot_clock < INTENT_SECONDS
        )


def write_intent(claim: Claim, messages: Sequence[ClaimedMessage], backend: BaseSmsBackend) -> Intent:
    """The intent of one request; see `write_intents()`. Its messages may be none."""
    intents = write_intents(claim, [messages], backend)
    return intents[0] if intents else _intent(claim, [], "", {})


def write_intents(claim: Claim, requests: Sequence[Sequence[ClaimedMessage]], backend: BaseSmsBackend) -> list[Intent]:
    """
    Make `sending` what still may go of the messages of these requests, with an attempt each.

    The others are suppressed or given back. All messages are of one campaign (or of none) and one gateway. Requests of
    which nothing is left get no intent. What is returned may be sent when the transaction around this has committed;
    without one it has when this returns.
    """
    clocks = _clocks()
    gate = _gate_of(claim)
    references = [backend.new_reference() for _request in requests]
    by_id = {one.pk: name for messages, name in zip(requests, references, strict=True) for one in messages}
    ids = listed(by_id)
    to_sending = compiled(_to_sending, claim.at_once, gate, len(references) == 1)
    with transaction.atomic(savepoint=False):
        changed = to_sending.run(
            ids=ids,
            token=claim.token,
            day=str(today()),
            references=references[0] if len(references) == 1 else json.dumps(by_id),
        )
        attempts = {pk: AttemptKey(pk, number) for pk, number in changed}
        _write_attempts(attempts, by_id, claim.token, backend)
        if len(attempts) < len(by_id):
            _put_back(claim, list(by_id), gate)
    claim.offered.update(by_id)
    intents = [
        _intent(claim, messages, reference, attempts, clocks)
        for messages, reference in zip(requests, references, strict=True)
    ]
    return [intent for intent in intents if intent.messages]


class Gate(NamedTuple):
    """What is asked once more of the rows of a claim."""

    of_child: bool
    consent: Rule
    #: Messages without a campaign: among them may be the confirmation of an opt-out, which goes to one who opted out.
    is_urgent: bool


def _gate_of(claim: Claim) -> Gate:
    campaign_id = claim.messages[0].campaign_id if claim.messages else None
    rule = claim.consent
    if rule is None:
        kind = Campaign.objects.values_list("kind", flat=True).get(pk=campaign_id) if campaign_id else ""
        rule = rule_for(kind)
    return Gate(claim.of_child, rule, campaign_id is None)


def write_repetition(
    messages: Sequence[ClaimedMessage], reference: str, backend: BaseSmsBackend, *, of_child: bool
) -> Intent | None:
    """
    Make the unknown messages of a request `sending` once more, under the reference that it had.

    All of them or none, None then: without one of them it would be another request. Call inside a transaction; what
    is returned may be sent when that has committed.
    """
    clocks, token = _clocks(), new_token()
    by_id = {one.pk: reference for one in messages}
    repeat = compiled(_repeat, _gate_of(Claim(token, list(messages), of_child=of_child)))
    with suppress(_NotAll), transaction.atomic():
        changed = repeat.run(ids=listed(by_id), token=token, references=reference)
        if len(changed) != len(by_id):
            raise _NotAll
        attempts = {pk: AttemptKey(pk, number) for pk, number in changed}
        _write_attempts(attempts, by_id, token, backend)
        return replace(_intent(Claim(token), messages, reference, attempts, clocks), is_repetition=True)
    return None


class _NotAll(Exception):
    """Something came in between for one of the messages; what was done for the others is undone."""


def _repeat(gate: Gate) -> Statement:
    """The gate for a repetition. Its money is kept since the first time, and so is the day that it counts for."""
    same = Q(status=MessageStatus.UNKNOWN, reference=Mark("references"))
    return _becomes_sending(same & _may_go(gate), Mark("references"), next_lookup_at=None)


def _to_sending(at_once: bool, gate: Gate, one_reference: bool) -> Statement:
    """The gate of a first hand-over."""
    waits = Q(status=MessageStatus.QUEUED)
    ours = (
        waits if at_once else Q(status=MessageStatus.CLAIMED, claim_token=Mark("token")) & Q(lease_expires_at__gt=Now())
    )
    return _becomes_sending(
        ours & _may_go(gate),
        Mark("references") if one_reference else text_of_key("references"),
        # What was claimed counts for the day of its claim: there its money is reserved.
        **({"day": Mark("day", DateField())} if at_once else {}),
    )


def _becomes_sending(may_go: Q, reference: Expression | Func, **more: Any) -> Statement:
    return Statement.update(
        SentMessage.objects.filter(Among("ids"), may_go),
        ["id", "attempt_count"],
        status=MessageStatus.SENDING,
        reference=reference,
        claim_token=Mark("token"),
        attempt_count=F("attempt_count") + 1,
        lease_expires_at=Now() + LEASE,
        not_before=None,
        **more,
    )


def hand_over_waiting(work: Work, backend: BaseSmsBackend, *, requests: int) -> list[Intent]:
    """
    Make waiting rows `sending` without a claim before, for so many requests that can go at once.

    The rows are locked until the transaction around this ends, which must be there. Empty when nothing may go.
    """
    capabilities = backend.capabilities
    messages = work.lock(requests * request_size(work.campaign, capabilities))
    if not messages:
        return []
    claim = Claim(new_token(), messages, of_child=work.of_child, consent=work.consent, at_once=True)
    return write_intents(claim, divide(messages, capabilities)[:requests], backend)


def request_size(campaign: Campaign, capabilities: Capabilities) -> int:
    """How many of this campaign's messages travel in one request."""
    is_bulk = capabilities.bulk_personalized or (capabilities.bulk_same_text and has_one_text(campaign.launch))
    return min(max(1, capabilities.max_recipients), BULK_BATCH) if is_bulk else 1


def divide(messages: Sequence[ClaimedMessage], capabilities: Capabilities) -> list[list[ClaimedMessage]]:
    """The messages of each request: as many as the adapter's bulk call takes, else one."""
    are_alike = len({message.body for message in messages}) == 1
    is_bulk = capabilities.bulk_personalized or (capabilities.bulk_same_text and are_alike)
    size = max(1, capabilities.max_recipients) if is_bulk else 1
    return [list(messages[start : start + size]) for start in range(0, len(messages), size)]


def _clocks() -> tuple[float, float]:
    return time.time(), time.clock_gettime(_BOOT_CLOCK)


def _intent(
    claim: Claim,
    messages: Sequence[ClaimedMessage],
    reference: str,
    attempts: Mapping[int, AttemptKey],
    clocks: tuple[float, float] | None = None,
) -> Intent:
    sending = [message for message in messages if message.pk in attempts]
    return Intent(reference, claim.token, sending, [attempts[one.pk] for one in sending], *(clocks or _clocks()))


def _put_back(claim: Claim, ids: Sequence[int], gate: Gate) -> None:
    """What may not go any more is suppressed, or waits for what stands in its way to end."""
    ours = SentMessage.objects.filter(pk__in=ids)
    if claim.at_once:
        ours = ours.filter(status=MessageStatus.QUEUED)
    else:
        ours = ours.filter(status=MessageStatus.CLAIMED, claim_token=claim.token)
    leave_unsent(ours.exclude(_not_opted_out(gate)), SuppressionReason.OPTED_OUT)
    if gate.of_child:
        leave_unsent(ours.filter(reached_before()), SuppressionReason.REACHED_MEANWHILE)
    if gate.consent != Rule.NOTHING:
        leave_unsent(ours.filter(without_consent(gate.consent)), SuppressionReason.NO_CONSENT)
        leave_unsent(ours.filter(under_review()), SuppressionReason.UNDER_REVIEW)
    if not claim.at_once:
        ours.update(status=MessageStatus.QUEUED, claim_token="", lease_expires_at=None)


def _write_attempts(
    attempts: Mapping[int, AttemptKey], references: Mapping[int, str], token: str, backend: BaseSmsBackend
) -> None:
    if attempts:
        bulk_insert(
            Attempt,
            ("message", "number", "reference"),
            [(*key, references[pk]) for pk, key in sorted(attempts.items())],
            claim_token=token,
            gateway=backend.alias,
            account=backend.account_fingerprint(),
            started_at=timezone.now(),
        )


def _not_opted_out(gate: Gate) -> Q:
    """Neither by number nor, for those who were erased, by the number's pseudonym."""
    by_number = OptOut.objects.filter(canonical_number=OuterRef("canonical_number"))
    by_pseudonym = OptOut.objects.filter(canonical_number=Pseudonym(OuterRef("canonical_number")))
    # Two conditions and no OR: the database joins them to the table once instead of asking for each row.
    neither = ~Q(Exists(by_number)) & ~Q(Exists(by_pseudonym))
    return Q(purpose=Purpose.CONFIRMATION) | neither if gate.is_urgent else neither


def _may_go(gate: Gate) -> Q:
    """Campaign, gateway, opt-outs and consent, asked in the statement that makes a row `sending`."""
    in_time = Q(ends_at__isnull=True) | Q(ends_at__gt=Now())
    running = Campaign.objects.filter(in_time, pk=OuterRef("campaign"), status=CampaignStatus.SENDING)
    closed = GatewayState.objects.filter(
        Q(paused_at__isnull=False) | Q(held_until__gt=Now()), alias=OuterRef("gateway")
    )
    # Looking back costs more than all the rest, and only the rows of a child have anything to look back upon.
    still_wanted = Q(Exists(running))
    if gate.of_child:
        still_wanted = Q(Exists(running.filter(parent=None))) | (still_wanted & ~reached_before())
    return (Q(campaign__isnull=True) | still_wanted) & ~Q(Exists(closed)) & _not_opted_out(gate) & _consented(gate)


def _consented(gate: Gate) -> Q:
    return Q() if gate.consent == Rule.NOTHING else ~Q(without_consent(gate.consent)) & ~Q(under_review())
