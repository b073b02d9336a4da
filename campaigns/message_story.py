"""Everything that is known about one message: the answer to somebody who complains about it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q

from .models import (
    Attempt,
    AuditEvent,
    ConsentChange,
    InboundMessage,
    MessageEvent,
    MessageStatus,
    SentMessage,
)
from .standing import Standing, changes_of, standing_at

#: What people did to a campaign before one of its messages was written: who is answerable for it.
_ASKING = ("create", "change", "duplicate", "schedule", "unschedule", "launch")
_ACTS_SHOWN = 20


@dataclass(frozen=True)
class Story:
    """
    A message with all that belongs to it, each list oldest first.

    `sent_at` is the moment that counts: when it was first handed over, or when it was decided that it is not.
    `then` and `now` are how it stood with the number's consent and opt-out.
    """

    message: SentMessage
    sent_at: datetime
    attempts: list[Attempt]
    events: list[MessageEvent]
    acts: list[AuditEvent]
    changes: list[ConsentChange]
    replies: list[InboundMessage]
    then: Standing
    now: Standing


def story_of(message: SentMessage, *, now: datetime) -> Story:
    """Six queries, however much happened to it."""
    attempts = list(message.attempts.order_by("number"))
    changes = changes_of(message.canonical_number)
    sent_at = attempts[0].started_at if attempts else _decided_at(message)
    return Story(
        message=message,
        sent_at=sent_at,
        attempts=attempts,
        events=list(message.events.all()),
        acts=_acts(message),
        changes=changes,
        replies=list(message.replies.order_by("received_at", "pk")),
        then=standing_at(changes, sent_at),
        now=standing_at(changes, now),
    )


def _decided_at(message: SentMessage) -> datetime:
    is_over = message.status not in {MessageStatus.QUEUED, MessageStatus.CLAIMED}
    return message.status_at if is_over and message.status_at is not None else message.created_at


def _acts(message: SentMessage) -> list[AuditEvent]:
    """Who wrote the campaign, changed it, approved it and sent it, until this message was written."""
    if message.campaign_id is None:
        return []
    asking = Q(action__in=_ASKING) | Q(action__contains="approv")
    acts = AuditEvent.objects.filter(asking, campaign=message.campaign_id, at__lte=message.created_at)
    return list(acts.select_related("actor").order_by("-pk")[:_ACTS_SHOWN])[::-1]
