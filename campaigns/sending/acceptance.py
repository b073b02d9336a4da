"""
The common answer, recorded the short way: the provider took the message at its first attempt, and nothing else has
happened to it since. Such a row need not be read before it is written.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.utils import timezone

from campaigns.models import Attempt, MessageStatus, SentMessage
from campaigns.storable import storable_cost, storable_json, storable_text
from sms_backends import Outcome, SendResult

from .bulk_update import plain, update_rows
from .handover import AttemptKey, Intent

Answer = tuple[AttemptKey, SendResult]


def record_acceptances(intent: Intent, results: Sequence[SendResult], *, poll_after: timedelta | None) -> list[Answer]:
    """
    Record those answers; return all others, which need a closer look.

    `poll_after` is when to ask for a receipt first; None for gateways that cannot be asked. Call inside a transaction.
    """
    answers = list(zip(intent.attempts, results, strict=True))
    common = [attempt.message_id for attempt, result in answers if result.accepted and attempt.number == 1]
    untouched = set(
        SentMessage.objects.select_for_update()
        .filter(pk__in=common, status=MessageStatus.SENDING, reference=intent.reference)
        .order_by("pk")
        .values_list("pk", flat=True)
    )
    taken = [(attempt, result) for attempt, result in answers if attempt.message_id in untouched]
    _complete_attempts(taken)
    _mark_sent(taken, poll_after)
    return [(attempt, result) for attempt, result in answers if attempt.message_id not in untouched]


def _complete_attempts(taken: Sequence[Answer]) -> None:
    raw = _raw_texts(taken)
    update_rows(
        Attempt,
        ["provider_message_id", "raw"],
        [(_provider_id(result), said, *attempt) for (attempt, result), said in zip(taken, raw, strict=True)],
        keys=("message", "number"),
        outcome=str(Outcome.ACCEPTED),
        finished_at=timezone.now(),
    )


def _mark_sent(taken: Sequence[Answer], poll_after: timedelta | None) -> None:
    now = timezone.now()
    poll_field = SentMessage._meta.get_field("next_poll_at")
    first_poll = None if poll_after is None else plain(poll_field, now + poll_after)
    cost_field = SentMessage._meta.get_field("cost")
    rows: list[tuple[Any, ...]] = []
    for (attempt, result), said in zip(taken, _raw_texts(taken), strict=True):
        provider_id = _provider_id(result)
        cost = None if result.cost is None else plain(cost_field, storable_cost(result.cost))
        poll = first_poll if provider_id else None
        rows.append((provider_id, said, cost, storable_text(result.currency, 5), poll, attempt.message_id))
    update_rows(
        SentMessage,
        ["provider_message_id", "provider_response", "cost", "currency", "next_poll_at"],
        rows,
        status=str(MessageStatus.SENT),
        reason="",
        reason_text="",
        claim_token="",
        lease_expires_at=None,
        not_before=None,
        sent_at=now,
        status_at=now,
    )


def _provider_id(result: SendResult) -> str:
    return storable_text(result.provider_message_id or "", 100)


def _raw_texts(taken: Sequence[Answer]) -> list[str | None]:
    """The provider's answers as JSON; what a whole request shares is written out once."""
    texts: dict[int, str] = {}
    for _attempt, result in taken:
        if result.raw is not None and id(result.raw) not in texts:
            texts[id(result.raw)] = json.dumps(storable_json(result.raw))
    return [texts.get(id(result.raw)) for _attempt, result in taken]
