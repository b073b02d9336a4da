"""The short way of recording an acceptance writes what the long way writes, and takes only rows that it may."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from campaigns.models import Attempt, MessageStatus, SentMessage
from campaigns.sending import record
from campaigns.sending.acceptance import Answer, record_acceptances
from campaigns.sending.handover import Intent
from sms_backends import Outcome, RecipientRejectedError, SendResult
from tests.campaigns.building import assert_adds_up, handed_over, launched, number, statuses

pytestmark = pytest.mark.django_db

TIMES = {"sent_at", "status_at", "next_poll_at", "finished_at", "started_at", "created_at"}
POLL = timedelta(seconds=10)


def taken(intent: Intent, **fields: Any) -> list[SendResult]:
    return [SendResult(m.phone_number, Outcome.ACCEPTED, reference=intent.reference, **fields) for m in intent.messages]


def written(model: type[SentMessage] | type[Attempt]) -> list[dict[str, Any]]:
    """The rows without their times, of which only counts whether they are there."""
    return [
        {name: value is not None if name in TIMES else value for name, value in row.items()}
        for row in model.objects.order_by("pk").values()
    ]


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"provider_message_id": "id-1", "raw": {"id": 1, "text": "Привет \0"}},
        {"provider_message_id": "x" * 300, "cost": Decimal("1.234567"), "currency": "ROUBLES"},
        {"cost": Decimal("NaN"), "raw": "plain"},
    ],
)
def test_both_ways_write_the_same(provider, fields, monkeypatch):
    _claim, intent = handed_over(launched(contacts=2))
    before = SentMessage.objects.values("status", "reference", "claim_token", "lease_expires_at")[0]
    with monkeypatch.context() as the_long_way:
        the_long_way.setattr(
            record,
            "record_acceptances",
            lambda answers, **_: [
                Answer(intent.reference, key, result)
                for intent, results in answers
                for key, result in zip(intent.attempts, results, strict=True)
            ],
        )
        record.record_results(intent, taken(intent, **fields), poll_after=POLL)
    long_way = written(SentMessage), written(Attempt)
    Attempt.objects.update(outcome="", provider_message_id="", raw=None, finished_at=None)
    as_before = {"provider_message_id": "", "provider_response": None, "cost": None, "currency": "", "sent_at": None}
    reopen(before | as_before | {"next_poll_at": None})
    assert record_acceptances([(intent, taken(intent, **fields))], poll_after=POLL) == []
    assert (written(SentMessage), written(Attempt)) == long_way


def reopen(values: dict[str, Any]) -> None:
    """As handed over, whatever the table of transitions says: rows are written anew."""
    rows = [SentMessage(**{**row, **values}) for row in SentMessage.objects.order_by("pk").values()]
    attempts = list(Attempt.objects.all())
    Attempt.objects.all().delete()
    SentMessage.objects.all().delete()
    SentMessage.objects.bulk_create(rows)
    Attempt.objects.bulk_create(attempts)


def test_refusals_and_rows_that_have_moved_on_are_left_for_a_closer_look(provider):
    campaign = launched(contacts=3)
    _claim, intent = handed_over(campaign)
    SentMessage.objects.filter(phone_number=number(2)).update(status=MessageStatus.DELIVERED)
    refused = SendResult(number(3), Outcome.REJECTED, error=RecipientRejectedError())
    left = record_acceptances([(intent, [*taken(intent)[:2], refused])], poll_after=None)
    assert [one.key.message_id for one in left] == [message.pk for message in intent.messages[1:]]
    assert statuses(campaign) == {"sent": 1, "delivered": 1, "sending": 1}
    assert_adds_up(campaign)


def test_a_later_attempt_is_left_for_a_closer_look(provider):
    campaign = launched(contacts=1)
    SentMessage.objects.update(attempt_count=1)
    _claim, intent = handed_over(campaign)
    assert len(record_acceptances([(intent, taken(intent))], poll_after=None)) == 1
    assert statuses(campaign) == {"sending": 1}
