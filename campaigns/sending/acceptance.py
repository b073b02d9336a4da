"""
The common answer, recorded the short way: the provider took the message at its first attempt, and nothing else has
happened to it since. Such a row need not be read before it is written.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, NamedTuple

from django.utils import timezone

from campaigns.models import Attempt, MessageStatus, SentMessage
from campaigns.storable import storable_cost, storable_json, storable_text
from sms_backends import Outcome, SendResult

from .bulk_update import RowUpdate, plain, update_together
from .compiled import Among, Statement, compiled, listed
from .handover import AttemptKey, Intent


class Answer(NamedTuple):
    """What the provider said of one recipient of a request."""

    reference: str
    key: AttemptKey
    result: SendResult


def record_acceptances(
    requests: Sequence[tuple[Intent, Sequence[SendResult]]], *, poll_after: timedelta | None
) -> list[Answer]:
    """
    Record those of the answers to these requests; return all others, which need a closer look.

    `poll_after` is when to ask for a receipt first; None for gateways that cannot be asked. Call inside a transaction.
    """
    answers = [
        Answer(intent.reference, key, result)
        for intent, results in requests
        for key, result in zip(intent.attempts, results, strict=True)
    ]
    common = {one.key.message_id: one for one in answers if one.result.accepted and one.key.number == 1}
    untouched = dict(compiled(_lock_sending).run(ids=listed(common)) if common else [])
    taken = [one for pk, one in common.items() if untouched.get(pk) == one.reference]
    if taken:
        update_together(_complete_attempts(taken), _mark_sent(taken, poll_after))
    recorded = {one.key for one in taken}
    return [one for one in answers if one.key not in recorded]


def _lock_sending() -> Statement:
    sending = SentMessage.objects.select_for_update().filter(
        # Handed over once: a repetition has the same reference.
        Among("ids"),
        status=MessageStatus.SENDING,
        attempt_count=1,
    )
    return Statement.select(sending.order_by("pk").values_list("pk", "reference"))


def _complete_attempts(taken: Sequence[Answer]) -> RowUpdate:
    raw = _raw_texts(taken)
    return RowUpdate(
        Attempt,
        ["provider_message_id", "raw"],
        [(_provider_id(one.result), said, *one.key) for one, said in zip(taken, raw, strict=True)],
        ("message", "number"),
        {"outcome": str(Outcome.ACCEPTED), "finished_at": timezone.now()},
    )


def _mark_sent(taken: Sequence[Answer], poll_after: timedelta | None) -> RowUpdate:
    now = timezone.now()
    poll_field = SentMessage._meta.get_field("next_poll_at")
    first_poll = None if poll_after is None else plain(poll_field, now + poll_after)
    cost_field = SentMessage._meta.get_field("cost")
    rows: list[tuple[Any, ...]] = []
    for one, said in zip(taken, _raw_texts(taken), strict=True):
        result = one.result
        provider_id = _provider_id(result)
        cost = None if result.cost is None else plain(cost_field, storable_cost(result.cost))
        poll = first_poll if provider_id else None
        rows.append((provider_id, said, cost, storable_text(result.currency, 5), poll, one.key.message_id))
    return RowUpdate(
        SentMessage,
        ["provider_message_id", "provider_response", "cost", "currency", "next_poll_at"],
        rows,
        ("id",),
        {
            "status": str(MessageStatus.SENT),
            "reason": "",
            "reason_text": "",
            "claim_token": "",
            "lease_expires_at": None,
            "not_before": None,
            "sent_at": now,
            "status_at": now,
        },
    )


def _provider_id(result: SendResult) -> str:
    return storable_text(result.provider_message_id or "", 100)


def _raw_texts(taken: Sequence[Answer]) -> list[str | None]:
    """The provider's answers as JSON; what a whole request shares is written out once."""
    texts: dict[int, str] = {}
    answers = [one.result.raw for one in taken]
    for raw in answers:
        if raw is not None and id(raw) not in texts:
            texts[id(raw)] = json.dumps(storable_json(raw))
    return [texts.get(id(raw)) for raw in answers]
