"""
Record: one answer per recipient, on its attempt and on the message, committed per request.

An answer is recorded even when the message has moved on meanwhile: a receipt may have come first, a sweeper may have
called it unknown, an operator may have sent it again.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from campaigns.gateway_control import concerns_gateway, waiting_time
from campaigns.models import Attempt, EventKind, FailureReason, MessageEvent, MessageStatus, SentMessage, may_become
from campaigns.optouts import Refusal, record_refusals
from campaigns.storable import storable_cost, storable_json, storable_text
from sms_backends import Outcome, RepeatedRequestError, SendResult, SmsError

from .acceptance import Answer, record_acceptances
from .bulk_update import bulk_update
from .doubt import ask_about
from .handover import AttemptKey, Intent
from .requeue import requeue

#: Waits, in seconds, before a message that was provably not taken is offered again; then it is given up.
RETRY_SECONDS = (30, 120, 600, 1800)
#: What may have been refused as a repetition is not offered again before this, in seconds.
REPETITION_SECONDS = 60.0

_COMPLETED = ["outcome", "provider_message_id", "error_code", "error_text", "raw", "finished_at"]
_CHANGED = [
    "status",
    "reason",
    "reason_text",
    "provider_message_id",
    "provider_response",
    "cost",
    "currency",
    "claim_token",
    "lease_expires_at",
    "not_before",
    "next_poll_at",
    "retry_count",
    "sent_twice",
    "sent_at",
    "status_at",
]


def record_results(intent: Intent, results: Sequence[SendResult], *, poll_after: timedelta | None) -> None:
    """
    Write down what the provider answered to a request. Safe to repeat.

    `poll_after` is when to ask for a receipt first; None for gateways that cannot be asked.
    """
    record_answers([(intent, results)], poll_after=poll_after)


def record_answers(answers: Sequence[tuple[Intent, Sequence[SendResult]]], *, poll_after: timedelta | None) -> None:
    """The answers to several requests of one gateway, in one transaction: all of them or none. Safe to repeat."""
    with transaction.atomic(savepoint=False):
        others: dict[str, list[Answer]] = {}
        for answer in record_acceptances(answers, poll_after=poll_after):
            others.setdefault(answer.reference, []).append(answer)
        for reference, left in others.items():
            _record_others(left, reference, poll_after)


def _record_others(answers: Sequence[Answer], reference: str, poll_after: timedelta | None) -> None:
    """Each by what its message has become meanwhile."""
    finished = timezone.now()
    ids = [answer.key.message_id for answer in answers]
    locked = {
        message.pk: message for message in SentMessage.objects.select_for_update().filter(pk__in=ids).order_by("pk")
    }
    attempts = {
        AttemptKey(one.message_id, one.number): one
        for one in Attempt.objects.filter(message__in=ids, reference=reference)
    }
    # Offered before under this very reference, and nobody knows with what outcome: what is refused to the repetition
    # says nothing of that.
    doubtful = {(key.message_id, key.number) for key, one in attempts.items() if one.outcome != Outcome.REJECTED}
    for answer in answers:
        message, attempt = locked[answer.key.message_id], attempts[answer.key]
        result = _storable(_doubt_repetition(answer.result, attempt))
        _complete(attempt, result)
        attempt.finished_at = finished
        if message.attempt_count != attempt.number:
            _apply_late(message, attempt, result)
            continue
        if not result.accepted and any((message.pk, number) in doubtful for number in range(1, attempt.number)):
            result = replace(result, outcome=Outcome.UNKNOWN)
        _apply(message, result, poll_after)
    requeue([message for message in locked.values() if message.status == MessageStatus.QUEUED])
    bulk_update([attempts[answer.key] for answer in answers], _COMPLETED)
    bulk_update(list(locked.values()), _CHANGED)
    record_refusals(
        Refusal.of_error(locked[answer.key.message_id].phone_number, answer.result.error)
        for answer in answers
        if answer.result.error is not None and answer.result.error.suppress and answer.result.error.outcome_known
    )
    if new_doubt := [pk for pk, message in locked.items() if message.status == MessageStatus.UNKNOWN]:
        ask_about(new_doubt, locked[new_doubt[0]].gateway)


def _storable(result: SendResult) -> SendResult:
    """Adapters are written by many hands; what they return must not make the answer impossible to keep."""
    said = result.raw if result.raw is not None or result.error is None else result.error.raw
    return replace(
        result,
        provider_message_id=storable_text(result.provider_message_id or "", 100),
        cost=None if result.cost is None else storable_cost(result.cost),
        currency=storable_text(result.currency, 5),
        raw=storable_json(said),
    )


def _doubt_repetition(result: SendResult, attempt: Attempt) -> SendResult:
    """What may be refused as a repetition may have been taken before: not so only at the first attempt."""
    if isinstance(result.error, RepeatedRequestError) and attempt.number > 1:
        return replace(result, outcome=Outcome.UNKNOWN)
    return result


def _complete(attempt: Attempt, result: SendResult) -> None:
    attempt.outcome = str(result.outcome)
    attempt.provider_message_id = result.provider_message_id or ""
    attempt.raw = result.raw
    if result.error is not None:
        attempt.error_code = storable_text(result.error.provider_code, 50)
        attempt.error_text = storable_text(result.error)


def _apply(message: SentMessage, result: SendResult, poll_after: timedelta | None) -> None:
    """The answer to the message's latest attempt."""
    message.provider_message_id = result.provider_message_id or message.provider_message_id
    message.provider_response = result.raw if result.raw is not None else message.provider_response
    if result.outcome is Outcome.ACCEPTED:
        message.sent_at = message.sent_at or timezone.now()
        message.cost, message.currency = result.cost, result.currency
        if message.status in may_become(MessageStatus.SENT):
            _become(message, MessageStatus.SENT)
            if poll_after is not None and message.provider_message_id:
                message.next_poll_at = timezone.now() + poll_after
    elif message.status not in {MessageStatus.SENDING, MessageStatus.UNKNOWN}:
        return  # a receipt came first and knows better
    elif result.outcome is Outcome.UNKNOWN:
        _become(message, MessageStatus.UNKNOWN, result.error)
    elif result.error is None or result.error.permanent:
        _become(message, MessageStatus.REJECTED, result.error)
    else:
        _wait_or_give_up(message, result.error)


def _apply_late(message: SentMessage, attempt: Attempt, result: SendResult) -> None:
    """The answer to an attempt after which the message was offered again."""
    MessageEvent.objects.get_or_create(
        message=message,
        fingerprint=f"late-{attempt.pk}",
        defaults={
            "kind": EventKind.LATE_RESULT,
            "payload": {"outcome": str(result.outcome), "raw": result.raw, "reference": attempt.reference},
        },
    )
    if result.outcome is not Outcome.ACCEPTED:
        return
    note_sent_twice(message, attempt)
    if message.status in may_become(MessageStatus.SENT):
        message.provider_message_id = result.provider_message_id or message.provider_message_id
        message.cost, message.currency = result.cost, result.currency
        message.sent_at = message.sent_at or timezone.now()
        _become(message, MessageStatus.SENT)


def note_sent_twice(message: SentMessage, taken: Attempt) -> None:
    """Flag the (locked) message if it was handed over again after this attempt, which the provider did take."""
    later = Attempt.objects.filter(message=message, number__gt=taken.number).exclude(outcome=Outcome.REJECTED)
    # Under the same reference the provider took it once.
    later = later.exclude(reference=taken.reference)
    if later.exists():
        message.sent_twice = True
        MessageEvent.objects.get_or_create(
            message=message, fingerprint=f"sent-twice-{taken.pk}", defaults={"kind": EventKind.SENT_TWICE}
        )


def _become(message: SentMessage, status: MessageStatus, error: SmsError | None = None) -> None:
    message.status = status
    message.reason = str(error.reason) if error is not None else ""
    message.reason_text = storable_text(error) if error is not None else ""
    message.claim_token, message.lease_expires_at, message.not_before = "", None, None
    message.status_at = timezone.now()


def _wait_or_give_up(message: SentMessage, error: SmsError) -> None:
    """Provably not taken. What concerns the gateway uses up no try: the gateway waits, not the message."""
    if concerns_gateway(error):
        _become(message, MessageStatus.QUEUED, error)
        if isinstance(error, RepeatedRequestError):
            # The gateway may be opened by hand before; this message must not be offered before.
            asked = waiting_time(error, otherwise=REPETITION_SECONDS)
            message.not_before = timezone.now() + max(asked, timedelta(seconds=REPETITION_SECONDS))
        return
    message.retry_count += 1
    if message.retry_count > len(RETRY_SECONDS):
        _become(message, MessageStatus.FAILED, error)
        message.reason = FailureReason.RETRIES_USED
        return
    _become(message, MessageStatus.QUEUED, error)
    wait = waiting_time(error, otherwise=RETRY_SECONDS[message.retry_count - 1])
    message.not_before = timezone.now() + wait * random.uniform(1, 1.2)  # noqa: S311
