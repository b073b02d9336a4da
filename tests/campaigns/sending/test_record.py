"""An answer is recorded whatever has happened to its message meanwhile, and whatever it looks like."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.db import InterfaceError, OperationalError

from campaigns.models import Attempt, EventKind, GatewayState, MessageStatus, SentMessage
from campaigns.sending import pipeline
from campaigns.sending.claim import claim_campaign
from campaigns.sending.dispatch import send_claim
from campaigns.sending.handover import Intent
from campaigns.sending.record import record_answers, record_results
from campaigns.sending.recovery import expire_leases, resend_unknown
from sms_backends import (
    Outcome,
    OutcomeUnknownError,
    PermanentRequestError,
    RecipientRejectedError,
    SendResult,
    SmsError,
    ThrottledError,
)
from tests.campaigns import providers
from tests.campaigns.building import (
    an_hour_passes,
    assert_adds_up,
    handed_over,
    launched,
    message_to,
    number,
    send,
    statuses,
    the_lease_runs_out,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def no_pause(monkeypatch):
    """The database is tried again at once, and given up after very few tries."""
    monkeypatch.setattr(pipeline, "RECORD_PAUSE", 0.0)


def accepted(intent: Intent, **fields: object) -> list[SendResult]:
    return [
        SendResult(message.phone_number, Outcome.ACCEPTED, **{"provider_message_id": "id-1", **fields})  # type: ignore[arg-type]
        for message in intent.messages
    ]


def refused(intent: Intent, error: SmsError) -> list[SendResult]:
    return [SendResult(message.phone_number, Outcome.REJECTED, error=error) for message in intent.messages]


def record(intent: Intent, results: list[SendResult]) -> None:
    record_results(intent, results, poll_after=None)


def given_up_and_sent_again(campaign) -> tuple[Intent, Intent]:
    """A first worker stood still, the sweeper called its message unknown, an operator sent it again: two intents."""
    _claim, first = handed_over(campaign)
    the_lease_runs_out()
    expire_leases()
    an_hour_passes()
    assert resend_unknown([message.pk for message in first.messages], actor=None) == 1
    _claim, second = handed_over(campaign)
    assert second.reference != first.reference
    return first, second


def events(message: SentMessage) -> list[str]:
    return list(message.events.order_by("pk").values_list("kind", flat=True))


def test_recording_twice_changes_nothing(provider):
    campaign = launched(contacts=1)
    _claim, intent = handed_over(campaign)
    record(intent, accepted(intent))
    before = SentMessage.objects.values().get()
    record(intent, accepted(intent))
    assert SentMessage.objects.values().get() == before
    assert_adds_up(campaign)


@pytest.mark.parametrize("error", [ThrottledError(), RecipientRejectedError(permanent=False), PermanentRequestError()])
def test_recording_a_refusal_twice_counts_once(provider, error):
    campaign = launched(contacts=1)
    _claim, intent = handed_over(campaign)
    record(intent, refused(intent, error))
    before = SentMessage.objects.values("status", "retry_count").get()
    record(intent, refused(intent, error))
    assert SentMessage.objects.values("status", "retry_count").get() == before
    assert_adds_up(campaign)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("trouble", [OperationalError, InterfaceError])
def test_the_answer_is_kept_until_the_database_is_back(provider, woken, monkeypatch, no_pause, trouble):
    campaign = launched(contacts=2)
    failures = iter([trouble("gone"), trouble("still gone")])

    def record_when_back(*args, **kwargs):
        for failure in failures:
            raise failure
        record_answers(*args, **kwargs)

    monkeypatch.setattr(pipeline, "record_answers", record_when_back)
    send(campaign)
    assert statuses(campaign) == {"sent": 2}
    assert_adds_up(campaign)


def test_an_answer_that_cannot_be_recorded_costs_no_other(adapter, provider, monkeypatch, no_pause):
    adapter(providers.OneByOne)
    monkeypatch.setattr(pipeline, "RECORD_SECONDS", 0.0)
    both_are_open = threading.Barrier(2, timeout=30)
    provider.during = lambda request: both_are_open.wait()
    campaign = launched(contacts=2)

    def fail_for_the_first(answers, **kwargs):
        if any(intent.messages[0].phone_number == number(1) for intent, _results in answers):
            raise OperationalError("always")
        record_answers(answers, **kwargs)

    monkeypatch.setattr(pipeline, "record_answers", fail_for_the_first)
    with pytest.raises(OperationalError):
        send_claim(claim_campaign(campaign.pk))
    the_lease_runs_out()
    expire_leases()
    assert message_to(number(1)).status == MessageStatus.UNKNOWN
    assert message_to(number(2)).status == MessageStatus.SENT
    assert_adds_up(campaign)


def test_trouble_with_early_receipts_costs_no_answer(provider, monkeypatch):

    def broken(*args):
        raise OperationalError("locked")

    monkeypatch.setattr(pipeline, "match_early_receipts", broken)
    campaign = send(launched(contacts=2))
    assert statuses(campaign) == {"sent": 2}


# --- answers of every shape -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "raw",
    [
        {"cost": Decimal("1.2"), "at": datetime(2026, 1, 2, tzinfo=UTC)},
        {"text": "nul \0 and \ud800 surrogate"},
        {1: b"bytes \xff", "set": {1}, "tuple": (1, None)},
        float("nan"),
        object(),
        "plain",
    ],
)
def test_no_raw_answer_makes_an_answer_impossible_to_keep(provider, raw):
    provider.extras = {"raw": raw}
    campaign = send(launched(contacts=1))
    assert statuses(campaign) == {"sent": 1}
    assert message_to(number(1)).provider_response is not None
    assert_adds_up(campaign)


@pytest.mark.parametrize(
    "extras",
    [
        {"provider_message_id": "x" * 300},
        {"provider_message_id": "nul\0"},
        {"provider_message_id": 12345},
        {"cost": Decimal("1e20")},
        {"cost": Decimal("NaN")},
        {"cost": "no number"},
        {"cost": Decimal("0.123456789")},
        {"currency": "ROUBLES"},
    ],
)
def test_no_field_of_an_answer_makes_it_impossible_to_keep(provider, extras):
    provider.extras = extras
    campaign = send(launched(contacts=1))
    assert statuses(campaign) == {"sent": 1}
    assert_adds_up(campaign)


def test_a_cost_that_is_none_is_not_known_rather_than_nothing(provider):
    provider.extras = {"cost": Decimal("NaN")}
    send(launched(contacts=1))
    assert message_to(number(1)).cost is None


def test_no_words_of_an_error_make_it_impossible_to_keep(provider):
    provider.refusals[number(1)] = RecipientRejectedError("nul \0 \ud800", provider_code="c\0" * 60)
    campaign = send(launched(contacts=1))
    assert statuses(campaign) == {"rejected": 1}


def test_the_raw_answer_of_an_error_is_kept(adapter, provider):
    adapter(providers.RefusesBeforeWriting)
    provider.fail_next(PermanentRequestError("Bad", raw={"error": 1}))
    send(launched(contacts=1))
    assert Attempt.objects.get().raw == {"error": 1}


# --- answers that come late -----------------------------------------------------------------------------------


def test_an_answer_that_comes_after_the_lease_settles_the_unknown_message(provider):
    campaign = launched(contacts=1)
    _claim, intent = handed_over(campaign)
    the_lease_runs_out()
    expire_leases()
    assert message_to(number(1)).status == MessageStatus.UNKNOWN
    record(intent, accepted(intent))
    message = message_to(number(1))
    assert (message.status, message.reason) == (MessageStatus.SENT, "")
    assert_adds_up(campaign)


def test_a_late_refusal_settles_the_unknown_message_too(provider):
    campaign = launched(contacts=1)
    _claim, intent = handed_over(campaign)
    the_lease_runs_out()
    expire_leases()
    record(intent, refused(intent, ThrottledError()))
    assert message_to(number(1)).status == MessageStatus.QUEUED
    assert_adds_up(campaign)


def test_an_answer_that_comes_after_the_resend_was_ordered_stops_it(provider):
    campaign = launched(contacts=1)
    _claim, intent = handed_over(campaign)
    the_lease_runs_out()
    expire_leases()
    an_hour_passes()
    resend_unknown([message_to(number(1)).pk], actor=None)
    record(intent, accepted(intent))
    assert message_to(number(1)).status == MessageStatus.SENT
    send(campaign)
    assert provider.requests == []
    assert_adds_up(campaign)


@pytest.mark.parametrize(
    "second_answer", [None, ThrottledError(), PermanentRequestError(), OutcomeUnknownError(), RecipientRejectedError()]
)
def test_a_late_acceptance_during_the_resend_is_never_forgotten(provider, second_answer):
    """Whatever becomes of the second request: the text was taken once, so it is not offered a third time."""
    campaign = launched(contacts=1)
    first, second = given_up_and_sent_again(campaign)
    record(first, accepted(first))
    record(second, refused(second, second_answer) if second_answer else accepted(second))
    message = message_to(number(1))
    assert message.status == MessageStatus.SENT
    assert message.sent_twice
    send(campaign)
    assert provider.requests == []
    assert {EventKind.LATE_RESULT, EventKind.SENT_TWICE} <= set(events(message))
    assert_adds_up(campaign)


def test_a_late_acceptance_after_an_unknown_resend_makes_the_message_sent(provider):
    campaign = launched(contacts=1)
    first, second = given_up_and_sent_again(campaign)
    record(second, refused(second, OutcomeUnknownError()))
    assert message_to(number(1)).status == MessageStatus.UNKNOWN
    record(first, accepted(first))
    record(first, accepted(first))
    message = message_to(number(1))
    assert (message.status, message.sent_twice) == (MessageStatus.SENT, True)
    assert events(message).count(EventKind.SENT_TWICE) == events(message).count(EventKind.LATE_RESULT) == 1
    assert_adds_up(campaign)


def test_a_late_acceptance_after_a_refused_resend_is_not_called_sent_twice(provider):
    campaign = launched(contacts=1)
    first, second = given_up_and_sent_again(campaign)
    record(second, refused(second, ThrottledError()))
    record(first, accepted(first))
    message = message_to(number(1))
    assert (message.status, message.sent_twice) == (MessageStatus.SENT, False)
    GatewayState.objects.all().delete()
    send(campaign)
    assert provider.requests == []
    assert_adds_up(campaign)


def test_two_acceptances_are_said(provider):
    campaign = launched(contacts=1)
    first, second = given_up_and_sent_again(campaign)
    record(second, accepted(second))
    record(first, accepted(first))
    message = message_to(number(1))
    assert (message.status, message.sent_twice) == (MessageStatus.SENT, True)
    assert list(message.attempts.values_list("outcome", flat=True)) == ["accepted", "accepted"]
    assert_adds_up(campaign)


def test_a_late_refusal_during_the_resend_changes_nothing(provider):
    campaign = launched(contacts=1)
    first, second = given_up_and_sent_again(campaign)
    record(first, refused(first, PermanentRequestError()))
    assert message_to(number(1)).status == MessageStatus.SENDING
    record(second, accepted(second))
    message = message_to(number(1))
    assert (message.status, message.sent_twice) == (MessageStatus.SENT, False)
    assert list(message.attempts.values_list("outcome", flat=True)) == ["rejected", "accepted"]
    assert_adds_up(campaign)
