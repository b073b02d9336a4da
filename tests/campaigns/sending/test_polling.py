"""Asking providers for receipts: in bulk, spaced out, and never all because of one."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from campaigns import receipts
from campaigns.models import MessageStatus, SentMessage
from campaigns.sending import polling
from campaigns.sending.polling import POLL_SECONDS, give_up_waiting, poll_receipts
from sms_backends import Capabilities, DeliveryReceipt, DeliveryStatus, TemporaryError
from tests.campaigns import providers
from tests.campaigns.building import assert_adds_up, launched, make_attempt, make_message, message_to, number, send

pytestmark = pytest.mark.django_db

DOTTED = "tests.campaigns.providers"


class Silent(providers.Personalised):
    """Cannot be reached when it is asked."""

    def fetch_receipts(self, messages):
        providers.provider.asked += messages
        raise TemporaryError("down")


class Broken(providers.Personalised):
    """Has a bug in its reading of receipts."""

    def fetch_receipts(self, messages):
        raise KeyError("status")


@pytest.fixture
def polled(adapter, provider):
    """The gateway `default` can be asked for receipts."""
    adapter(providers.Personalised)
    return provider


def all_are_due() -> None:
    SentMessage.objects.filter(next_poll_at__isnull=False).update(next_poll_at=timezone.now())


def sent(n: int, **fields) -> SentMessage:
    facts = {"status": MessageStatus.SENT, "provider_message_id": f"id-{n}", "next_poll_at": timezone.now()}
    message = make_message(number(n), **{**facts, **fields})
    make_attempt(message, provider_message_id=f"id-{n}", reference=f"ref-{n}", gateway=message.gateway)
    return message


def test_a_sent_message_is_asked_about_and_its_receipt_applied(polled):
    campaign = send(launched(contacts=2))
    assert poll_receipts() == 0, "not at once"
    all_are_due()
    shared = message_to(number(1)).provider_message_id
    polled.receipts = [DeliveryReceipt(shared, number(1), DeliveryStatus.DELIVERED)]
    assert poll_receipts() == 1
    assert sorted(polled.asked) == [(shared, number(1)), (shared, number(2))]
    assert message_to(number(1)).status == MessageStatus.DELIVERED
    assert message_to(number(1)).next_poll_at is None
    assert message_to(number(2)).status == MessageStatus.SENT
    assert_adds_up(campaign)


def test_questions_become_rarer_and_end(polled):
    sent(1)
    waits = []
    for _question in range(len(POLL_SECONDS) + 3):
        all_are_due()
        poll_receipts()
        due = message_to(number(1)).next_poll_at
        if due:
            waits.append((due - timezone.now()).total_seconds())
    assert len(polled.asked) == len(POLL_SECONDS) + 1
    assert waits == sorted(waits)
    message = message_to(number(1))
    assert (message.status, message.receipt_overdue) == (MessageStatus.SENT, True)


def test_the_last_question_makes_nothing_overdue_that_it_answers(polled):
    sent(1, poll_count=len(POLL_SECONDS))
    polled.receipts = [DeliveryReceipt("id-1", number(1), DeliveryStatus.DELIVERED)]
    assert poll_receipts() == 1
    message = message_to(number(1))
    assert (message.status, message.receipt_overdue) == (MessageStatus.DELIVERED, False)


class Pushing(providers.SameText):
    """Reports by itself, and cannot be asked."""

    capabilities = Capabilities(bulk_same_text=True, max_recipients=100, receipts_push=True)


def test_a_receipt_that_never_comes_by_itself_is_overdue_and_still_welcome(adapter, provider):
    adapter(Pushing)
    campaign = send(launched(contacts=2))
    assert give_up_waiting() == 0, "not yet"
    shared = message_to(number(1)).provider_message_id
    receipts.apply("default", DeliveryReceipt(shared, number(2), DeliveryStatus.DELIVERED))
    all_are_due()
    assert give_up_waiting() == 1
    assert give_up_waiting() == 0
    assert message_to(number(1)).receipt_overdue
    assert not message_to(number(2)).receipt_overdue
    assert provider.asked == []
    receipts.apply("default", DeliveryReceipt(shared, number(1), DeliveryStatus.UNDELIVERED))
    message = message_to(number(1))
    assert (message.status, message.receipt_overdue) == (MessageStatus.UNDELIVERED, False)
    assert_adds_up(campaign)


def test_where_no_receipts_are_to_be_expected_none_is_overdue(provider):
    send(launched(contacts=1))
    assert message_to(number(1)).next_poll_at is None
    assert give_up_waiting() == 0


def test_a_gateway_that_can_be_asked_is_left_to_the_questions(polled):
    sent(1)
    assert give_up_waiting() == 0
    assert message_to(number(1)).next_poll_at is not None


def test_a_message_without_an_id_is_not_asked_about(polled):
    polled.extras = {"provider_message_id": None}
    send(launched(contacts=1))
    assert message_to(number(1)).next_poll_at is None


def test_a_gateway_that_cannot_be_asked_is_not_asked(provider):
    sent(1)
    assert poll_receipts() == 0
    assert provider.asked == []


def test_questions_are_asked_in_batches(polled, monkeypatch):
    monkeypatch.setattr(polling, "BATCH", 2)
    batches: list[int] = []

    def fetch_receipts(backend, messages):
        batches.append(len(messages))
        return []

    monkeypatch.setattr(providers.Personalised, "fetch_receipts", fetch_receipts)
    for n in range(5):
        sent(n)
    poll_receipts()
    assert batches == [2, 2, 1]


def test_a_round_of_questions_ends_before_the_task_queue_ends_it(polled, monkeypatch):
    monkeypatch.setattr(polling, "ROUND_SECONDS", -1.0)
    sent(1)
    poll_receipts()
    assert polled.asked == []
    assert message_to(number(1)).poll_count == 0


@pytest.mark.parametrize("failing", ["Silent", "Broken"])
def test_a_gateway_that_fails_keeps_no_other_from_being_asked(settings, polled, failing):
    here = __name__
    settings.SMS_GATEWAYS = {
        "default": {"BACKEND": f"{here}.{failing}"},
        "gone": {"BACKEND": "no.such.Backend"},
        "good": {"BACKEND": f"{DOTTED}.Personalised"},
    }
    sent(1, gateway="default")
    sent(2, gateway="good")
    assert poll_receipts() == 0
    assert ("id-2", number(2)) in polled.asked
    asked_again = message_to(number(1)).next_poll_at
    assert asked_again is not None
    assert asked_again > timezone.now() + timedelta(seconds=1)
