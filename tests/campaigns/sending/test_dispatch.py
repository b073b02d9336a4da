"""From claimed rows to recorded answers: what the engine does with everything a provider can say."""

from __future__ import annotations

import threading
from decimal import Decimal

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError
from django.utils import timezone

from campaigns import gateway_control, lifecycle, optouts
from campaigns.models import (
    Campaign,
    CampaignStatus,
    GatewayState,
    MessageStatus,
    OptOutSource,
    Purpose,
    SentMessage,
)
from campaigns.sending import handover, requesting
from campaigns.sending.claim import claim_campaign
from campaigns.sending.dispatch import send_claim, send_waiting
from campaigns.sending.handover import Intent
from campaigns.single import queue_single
from sms_backends import (
    AuthenticationError,
    Capabilities,
    ContentRejectedError,
    InsufficientFundsError,
    OutcomeUnknownError,
    PermanentRequestError,
    Reason,
    RecipientRejectedError,
    SenderRejectedError,
    SmsError,
    TemporaryError,
    ThrottledError,
)
from tests.campaigns import providers
from tests.campaigns.building import (
    an_hour_passes,
    assert_adds_up,
    frozen,
    launched,
    make_campaign,
    make_contact,
    make_group,
    message_to,
    number,
    seconds_until,
    send,
    statuses,
)

pytestmark = pytest.mark.django_db

ADAPTERS = [providers.OneByOne, providers.SameText, providers.Personalised, providers.LoopedPersonalised]


@pytest.mark.parametrize("kind", [*ADAPTERS, providers.Legacy])
def test_everybody_gets_exactly_one_text(kind, adapter, provider):
    adapter(kind)
    campaign = send(launched(contacts=7))
    assert campaign.status == CampaignStatus.COMPLETED
    assert statuses(campaign) == {"sent": 7}
    assert provider.copies() == {number(n): 1 for n in range(1, 8)}
    assert_adds_up(campaign)


@pytest.mark.parametrize("kind", ADAPTERS)
def test_everybody_gets_their_own_text(kind, adapter, provider):
    adapter(kind)
    group = make_group()
    for n, name in enumerate(["Anna", "Boris", "Vera"]):
        make_contact(number(n), group, first_name=name)
    campaign = make_campaign(group, body="Hello {{ first_name }}")
    lifecycle.launch(campaign, actor=None)
    dispatch_all(campaign)
    assert sorted(provider.taken) == [(number(0), "Hello Anna"), (number(1), "Hello Boris"), (number(2), "Hello Vera")]
    assert_adds_up(campaign)


def dispatch_all(campaign: Campaign) -> Campaign:
    return send(frozen(campaign))


def at_most(recipients: int, monkeypatch) -> None:
    """The adapter takes no more in one request."""
    capabilities = Capabilities(bulk_same_text=True, max_recipients=recipients)
    monkeypatch.setattr(providers.SameText, "capabilities", capabilities)


def test_one_text_to_many_travels_in_one_request(provider):
    send(launched(contacts=5))
    assert [len(request.numbers) for request in provider.requests] == [5]


def test_requests_are_no_larger_than_the_adapter_takes(adapter, provider, monkeypatch):
    at_most(2, monkeypatch)
    send(launched(contacts=5))
    assert [len(request.numbers) for request in provider.requests] == [2, 2, 1]


def test_the_answer_is_on_the_message_and_on_its_attempt(provider):
    campaign = send(launched(contacts=1))
    message = message_to(number(1), campaign)
    attempt = message.attempts.get()
    assert message.provider_message_id == attempt.provider_message_id == f"id-{provider.requests[0].reference}"
    assert message.reference == attempt.reference == provider.requests[0].reference
    assert message.provider_response == attempt.raw == {"ok": True}
    assert (message.cost, message.currency) == (Decimal("1.5"), "RUB")
    assert attempt.outcome == "accepted"
    assert attempt.finished_at is not None
    assert attempt.started_at <= attempt.finished_at
    assert message.sent_at
    assert campaign.last_handover_at


def test_the_sender_of_the_campaign_is_handed_over(provider):
    send(launched(contacts=1, sender_id="SHOP"))
    assert provider.requests[0].sender_id == "SHOP"


# --- refusals of single recipients ----------------------------------------------------------------------------


def test_one_refused_number_is_rejected_and_the_others_are_sent(provider):
    provider.refusals[number(2)] = RecipientRejectedError(
        "No such number", provider_code="8", reason=Reason.INVALID_NUMBER
    )
    campaign = send(launched(contacts=3))
    refused = message_to(number(2), campaign)
    assert statuses(campaign) == {"sent": 2, "rejected": 1}
    assert (refused.reason, refused.reason_text) == ("invalid_number", "No such number")
    assert refused.attempts.get().error_code == "8"
    assert_adds_up(campaign)


def test_a_number_that_may_be_tried_again_waits_and_is_given_up_after_its_tries(provider):
    provider.refusals[number(1)] = RecipientRejectedError("Phone is off", permanent=False)
    campaign = send(launched(contacts=1))
    waiting = message_to(number(1), campaign)
    assert waiting.status == MessageStatus.QUEUED
    assert seconds_until(waiting.not_before) > 0
    assert send(campaign).status == CampaignStatus.SENDING
    assert len(provider.requests) == 1, "not before its time"
    for _try in range(6):
        an_hour_passes()
        send(campaign)
    campaign.refresh_from_db()
    message = message_to(number(1), campaign)
    assert (message.status, message.reason) == (MessageStatus.FAILED, "retries_used")
    assert len(provider.requests) == 5
    assert campaign.status == CampaignStatus.COMPLETED
    assert_adds_up(campaign)


@pytest.mark.parametrize("retry_after", [1e18, float("inf"), float("nan"), -5.0])
def test_an_absurd_waiting_time_from_the_provider_loses_no_answer(provider, retry_after):
    provider.refusals[number(1)] = RecipientRejectedError("Later", permanent=False, retry_after=retry_after)
    campaign = send(launched(contacts=2))
    assert statuses(campaign) == {"sent": 1, "queued": 1}
    provider.fail_next(ThrottledError("Slow down", retry_after=retry_after))
    an_hour_passes()
    send(campaign)
    assert statuses(campaign) == {"sent": 1, "queued": 1}
    assert_adds_up(campaign)


# --- refusals of whole requests -------------------------------------------------------------------------------


def test_a_refusal_of_several_counts_for_none_until_the_culprit_stands_alone(provider):
    culprit = number(3)

    def refuse_with_culprit(request):
        if culprit in request.numbers:
            provider.fail_next(PermanentRequestError("Something in this request is wrong"))

    provider.during = refuse_with_culprit
    campaign = send(launched(contacts=8))
    assert statuses(campaign) == {"sent": 7, "rejected": 1}
    assert message_to(culprit, campaign).status == MessageStatus.REJECTED
    assert provider.copies() == {number(n): 1 for n in range(1, 9) if n != 3}
    references = [request.reference for request in provider.requests]
    assert len(references) == len(set(references))
    assert_adds_up(campaign)


def test_an_account_without_money_pauses_the_gateway_and_marks_nobody(provider):
    provider.fail_next(InsufficientFundsError("No money left"))
    campaign = send(launched(contacts=3))
    state = GatewayState.objects.get(alias="default")
    assert (state.is_paused, state.pause_reason, state.provider_text) == (True, "no_funds", "No money left")
    assert statuses(campaign) == {"queued": 3}
    assert campaign.status == CampaignStatus.SENDING
    assert send(campaign).status == CampaignStatus.SENDING
    assert len(provider.requests) == 1, "a paused gateway is not asked again"
    gateway_control.resume_gateway("default", actor=None)
    send(campaign)
    assert statuses(campaign) == {"sent": 3}
    assert not SentMessage.objects.exclude(retry_count=0).exists()
    assert set(provider.copies().values()) == {1}
    assert_adds_up(campaign)


@pytest.mark.parametrize("kind", [*ADAPTERS, providers.RefusesBeforeWriting])
def test_a_wrong_password_pauses_the_gateway_and_marks_nobody(kind, adapter, provider):
    adapter(kind)
    provider.fail_next(*[AuthenticationError("Wrong password")] * 2)
    campaign = send(launched(contacts=3))
    assert GatewayState.objects.get(alias="default").pause_reason == "authentication"
    assert statuses(campaign) == {"queued": 3}
    assert_adds_up(campaign)


@pytest.mark.parametrize("kind", [providers.Personalised, providers.LoopedPersonalised])
def test_money_that_runs_out_inside_a_request_pauses_the_gateway_for_the_rest(kind, adapter, provider):
    adapter(kind)
    group = make_group()
    for n in range(1, 4):
        make_contact(number(n), group, first_name=f"N{n}")
        if n > 1:
            provider.refusals[number(n)] = InsufficientFundsError("No money left")
    campaign = make_campaign(group, body="Hello {{ first_name }}")
    lifecycle.launch(campaign, actor=None)
    dispatch_all(campaign)
    assert statuses(campaign) == {"sent": 1, "queued": 2}
    assert GatewayState.objects.get(alias="default").is_paused
    assert len(provider.requests) <= 2, "the rest is not offered before somebody has paid"
    assert_adds_up(campaign)


def test_throttling_holds_the_gateway_and_uses_up_no_try(provider):
    provider.fail_next(ThrottledError("Too fast", retry_after=30))
    campaign = send(launched(contacts=2))
    state = GatewayState.objects.get(alias="default")
    assert not state.is_paused
    assert seconds_until(state.held_until) > 0
    assert statuses(campaign) == {"queued": 2}
    send(campaign)
    assert len(provider.requests) == 1, "a held gateway is not asked"
    GatewayState.objects.update(held_until=timezone.now())
    send(campaign)
    assert statuses(campaign) == {"sent": 2}
    assert not SentMessage.objects.exclude(retry_count=0).exists()
    assert GatewayState.objects.get(alias="default").failure_count == 0
    assert_adds_up(campaign)


def test_throttling_of_some_recipients_holds_the_gateway_too(provider):
    provider.refusals[number(2)] = ThrottledError("Too fast", retry_after=30)
    campaign = send(launched(contacts=3))
    assert statuses(campaign) == {"sent": 2, "queued": 1}
    assert len(provider.requests) == 1
    assert seconds_until(GatewayState.objects.get(alias="default").held_until) > 0
    assert_adds_up(campaign)


def test_a_success_in_the_same_wave_does_not_open_a_gateway_that_must_wait(adapter, provider):
    adapter(providers.OneByOne)
    provider.refusals[number(1)] = ThrottledError("Too fast", retry_after=30)
    both_are_open = threading.Barrier(2, timeout=30)
    provider.during = lambda request: both_are_open.wait()
    campaign = send(launched(contacts=2))
    send(campaign)
    assert len(provider.requests) == 2, "a held gateway is not asked"
    assert statuses(campaign) == {"sent": 1, "queued": 1}
    assert_adds_up(campaign)


def test_what_the_gateway_was_paused_for_is_not_overwritten_by_later_trouble(adapter, provider):
    adapter(providers.OneByOne)
    provider.refusals[number(1)] = InsufficientFundsError("No money left")
    provider.refusals[number(2)] = OutcomeUnknownError("Time-out")
    send(launched(contacts=2))
    state = GatewayState.objects.get(alias="default")
    assert (state.pause_reason, state.provider_text) == ("no_funds", "No money left")


def test_a_provider_that_is_down_is_held_longer_each_time(provider):
    campaign = launched(contacts=1)
    waits = []
    for _time in range(3):
        provider.fail_next(TemporaryError("Connection refused"))
        send(campaign)
        state = GatewayState.objects.get(alias="default")
        waits.append(seconds_until(state.held_until))
        GatewayState.objects.update(held_until=timezone.now())
    assert waits == sorted(waits)
    assert message_to(number(1)).status == MessageStatus.QUEUED
    assert_adds_up(campaign)


def test_after_a_hold_one_message_goes_alone_and_its_success_lets_the_others_go(provider):
    provider.fail_next(TemporaryError("Connection refused"))
    campaign = send(launched(contacts=5))
    GatewayState.objects.update(held_until=timezone.now())
    send(campaign)
    assert [len(request.numbers) for request in provider.requests] == [5, 1, 4]
    assert statuses(campaign) == {"sent": 5}
    assert_adds_up(campaign)


@pytest.mark.parametrize("kind", ADAPTERS)
def test_while_the_one_that_goes_alone_fails_nothing_else_is_offered(kind, adapter, provider):
    adapter(kind)
    provider.refusals = {number(n): TemporaryError("Connection refused") for n in range(1, 6)}
    campaign = send(launched(contacts=5))
    for failures in (2, 3):
        asked = len(provider.requests)
        GatewayState.objects.update(held_until=timezone.now())
        send(campaign)
        assert [len(request.numbers) for request in provider.requests[asked:]] == [1]
        assert GatewayState.objects.get(alias="default").failure_count == failures
    assert statuses(campaign) == {"queued": 5}
    assert_adds_up(campaign)


def test_a_refusal_that_may_pass_and_concerns_only_the_request_uses_up_a_try(provider):
    provider.fail_next(SmsError("Busy", permanent=False))
    campaign = send(launched(contacts=2))
    assert list(SentMessage.objects.values_list("status", "retry_count")) == [("queued", 1), ("queued", 1)]
    assert_adds_up(campaign)


def test_a_gateway_that_is_configured_wrongly_is_paused_with_the_reason(settings, provider):
    campaign = launched(contacts=1)
    settings.SMS_SETTINGS = {"BACKEND": "no.such.Backend"}
    send(campaign)
    state = GatewayState.objects.get(alias="default")
    assert state.is_paused
    assert "no.such" in state.provider_text
    assert statuses(campaign) == {"queued": 1}


def test_a_gateway_that_turns_out_wrong_in_the_middle_of_it_is_paused_too(provider):
    """The settings of another process may be older; what the adapter itself finds missing counts as the account's."""
    provider.fail_next(ImproperlyConfigured("SMSC_LOGIN is missing"))
    campaign = send(launched(contacts=2))
    assert GatewayState.objects.get(alias="default").provider_text == "SMSC_LOGIN is missing"
    assert statuses(campaign) == {"queued": 2}
    assert_adds_up(campaign)


# --- forbidden texts ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ADAPTERS)
def test_a_forbidden_text_pauses_the_campaign_and_rejects_nobody(kind, adapter, provider):
    adapter(kind)
    provider.fail_next(*[ContentRejectedError("Forbidden words")] * 4)  # however many are asked before it is paused
    campaign = send(launched(contacts=4))
    assert (campaign.status, campaign.paused_by_engine) == (CampaignStatus.PAUSED, True)
    assert campaign.pause_reason == "Forbidden words"
    assert statuses(campaign) == {"queued": 4}
    provider.relent()
    lifecycle.resume(campaign, actor=None)
    send(campaign)
    assert statuses(campaign) == {"sent": 4}
    assert set(provider.copies().values()) == {1}
    assert_adds_up(campaign)


def test_a_common_text_forbidden_for_one_of_many_rejects_that_one_and_pauses_the_campaign(provider):
    provider.refusals[number(1)] = ContentRejectedError("Forbidden words")
    campaign = send(launched(contacts=3))
    assert statuses(campaign) == {"rejected": 1, "sent": 2}
    assert campaign.status == CampaignStatus.PAUSED
    assert_adds_up(campaign)


def test_a_forbidden_personal_text_rejects_only_its_row(adapter, provider):
    adapter(providers.Personalised)
    group = make_group()
    for n, name in enumerate(["Anna", "Casino", "Vera"]):
        make_contact(number(n), group, first_name=name)
    provider.refusals[number(1)] = ContentRejectedError("Forbidden words")
    campaign = make_campaign(group, body="Hello {{ first_name }}")
    lifecycle.launch(campaign, actor=None)
    campaign = dispatch_all(campaign)
    assert statuses(campaign) == {"sent": 2, "rejected": 1}
    assert campaign.status == CampaignStatus.COMPLETED
    assert_adds_up(campaign)


def test_a_forbidden_sender_pauses_the_campaign_even_if_texts_differ(adapter, provider):
    adapter(providers.Personalised)
    group = make_group()
    make_contact(number(1), group, first_name="Anna")
    campaign = make_campaign(group, body="Hello {{ first_name }}", sender_id="BANK")
    lifecycle.launch(campaign, actor=None)
    provider.fail_next(SenderRejectedError("Not your name"))
    campaign = dispatch_all(campaign)
    assert campaign.status == CampaignStatus.PAUSED
    assert statuses(campaign) == {"queued": 1}
    assert_adds_up(campaign)


def test_a_forbidden_single_message_is_rejected(provider):
    message, _created = queue_single(number(1), "Casino", purpose=Purpose.QUICK)
    provider.fail_next(ContentRejectedError("Forbidden words"))
    send_waiting(None, seconds=5)
    message.refresh_from_db()
    assert (message.status, message.reason) == (MessageStatus.REJECTED, "content")


def test_a_campaign_cancelled_while_its_text_is_being_refused_stays_cancelled(provider):
    campaign = launched(contacts=2)
    provider.fail_next(ContentRejectedError("Forbidden words"))
    provider.during = lambda request: lifecycle.cancel(campaign, actor=None)
    send(campaign)
    assert campaign.status == CampaignStatus.CANCELLED
    assert statuses(campaign) == {"cancelled": 2}
    assert_adds_up(campaign)


# --- outcomes that nobody knows -------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ADAPTERS)
@pytest.mark.parametrize("error", [OutcomeUnknownError("HTTP 500"), RuntimeError("a bug"), TimeoutError()])
def test_an_unknown_outcome_is_said_and_never_sent_again(kind, adapter, provider, error):
    adapter(kind)
    campaign = launched(contacts=2)
    provider.fail_next(error, error, taken=True)
    send(campaign)
    assert_adds_up(campaign)
    GatewayState.objects.update(held_until=timezone.now())
    send(campaign)
    an_hour_passes()
    campaign = send(campaign)
    assert campaign.status == CampaignStatus.COMPLETED
    assert statuses(campaign)["unknown"] >= 1
    assert set(statuses(campaign)) <= {"unknown", "sent"}
    assert set(provider.copies().values()) == {1}
    assert_adds_up(campaign)


def test_a_failing_legacy_adapter_leaves_its_messages_unknown(adapter, provider):
    adapter(providers.Legacy)
    provider.fail_next(ConnectionResetError())
    campaign = send(launched(contacts=1))
    assert statuses(campaign) == {"unknown": 1}
    assert "ConnectionResetError" in message_to(number(1)).reason_text
    assert_adds_up(campaign)


def test_whom_the_answer_does_not_name_is_unknown(adapter, provider):
    adapter(providers.Forgetful)
    campaign = send(launched(contacts=3))
    assert statuses(campaign) == {"sent": 1, "unknown": 2}
    assert_adds_up(campaign)


def test_an_error_of_our_own_in_the_request_is_unknown(provider, monkeypatch):
    def broken(*args, **kwargs):
        raise ValueError("not sent, but who knows")

    monkeypatch.setattr(requesting, "SMSMessage", broken)
    campaign = send(launched(contacts=1))
    assert statuses(campaign) == {"unknown": 1}


# --- what happens meanwhile -----------------------------------------------------------------------------------


def test_a_process_that_stood_still_offers_nothing_and_gives_its_rows_back(provider, monkeypatch):
    campaign = launched(contacts=2)
    monkeypatch.setattr(Intent, "is_fresh", lambda intent: False)
    claim = claim_campaign(campaign.pk)
    send_claim(claim)
    assert provider.requests == []
    assert statuses(campaign) == {"queued": 2}
    monkeypatch.undo()
    campaign = send(campaign)
    assert_adds_up(campaign)


def test_cancelling_during_a_request_keeps_what_was_sent_and_cancels_the_rest(provider, monkeypatch):
    at_most(2, monkeypatch)
    campaign = launched(contacts=5)
    provider.during = lambda request: lifecycle.cancel(campaign, actor=None)
    send(campaign)
    assert statuses(campaign) == {"sent": 2, "cancelled": 3}
    assert set(provider.copies()) == {number(1), number(2)}
    assert_adds_up(campaign)


def test_refused_during_a_cancellation_means_cancelled(provider):
    campaign = launched(contacts=2)
    provider.during = lambda request: lifecycle.cancel(campaign, actor=None)
    provider.fail_next(ThrottledError("Too fast"))
    send(campaign)
    assert statuses(campaign) == {"cancelled": 2}
    assert_adds_up(campaign)


def test_pausing_during_a_request_lets_nothing_more_out(provider, monkeypatch):
    at_most(2, monkeypatch)
    campaign = launched(contacts=5)
    provider.during = lambda request: lifecycle.pause(campaign, actor=None)
    send(campaign)
    assert statuses(campaign) == {"sent": 2, "queued": 3}
    provider.during = None
    lifecycle.resume(campaign, actor=None)
    assert send(campaign).status == CampaignStatus.COMPLETED
    assert set(provider.copies().values()) == {1}
    assert_adds_up(campaign)


def test_an_opt_out_between_two_requests_is_respected(provider, monkeypatch):
    at_most(1, monkeypatch)
    campaign = launched(contacts=3)
    provider.during = lambda request: optouts.record_opt_out(number(3), source=OptOutSource.OPERATOR)
    send(campaign)
    assert statuses(campaign) == {"sent": 2, "suppressed": 1}
    assert number(3) not in provider.copies()
    assert_adds_up(campaign)


def test_single_messages_overtake_a_campaign(provider):
    campaign = launched(contacts=2)
    queue_single(number(9), "Your code is 1234", purpose=Purpose.QUICK)
    send(campaign)
    assert [request.numbers for request in provider.requests] == [[number(9)], [number(1), number(2)]]


def test_a_number_stands_only_once_in_a_request(provider):
    for _time in range(2):
        queue_single(number(1), "Hello", purpose=Purpose.QUICK)
    send_waiting(None, seconds=5)
    assert [request.numbers for request in provider.requests] == [[number(1)], [number(1)]]
    assert set(SentMessage.objects.values_list("status", flat=True)) == {"sent"}


def test_messages_of_a_gateway_that_is_gone_wait_and_keep_nobody_else_from_being_sent(provider):
    queue_single(number(1), "Hello", purpose=Purpose.QUICK, gateway="gone")
    campaign = send(launched(contacts=1))
    assert campaign.status == CampaignStatus.COMPLETED
    assert GatewayState.objects.get(alias="gone").is_paused
    assert SentMessage.objects.get(gateway="gone").status == MessageStatus.QUEUED


def test_nothing_is_offered_after_the_time_is_up(provider):
    campaign = launched(contacts=2)
    send_claim(claim_campaign(campaign.pk), deadline=0.0)
    assert provider.requests == []
    assert statuses(campaign) == {"queued": 2}
    assert send_waiting(campaign.pk, seconds=0) is True


def test_numbers_that_the_installation_may_not_write_to_are_stopped_at_the_door_as_well(settings, provider):
    campaign = launched(contacts=2)
    settings.SMS_ONLY_TO = [number(1)]
    campaign = send(campaign)
    assert statuses(campaign) == {"sent": 1, "rejected": 1}
    assert message_to(number(2)).reason == "not_allowed"
    assert provider.copies() == {number(1): 1}
    assert_adds_up(campaign)


def test_a_failing_intent_leaves_no_message_in_doubt(adapter, provider, monkeypatch):
    """The attempts of a wave cannot be written down: nothing of it is sent, or left `sending`."""
    adapter(providers.OneByOne)
    campaign = launched(contacts=2)

    def fail(*args, **kwargs):
        raise DatabaseError("the database went away")

    monkeypatch.setattr(handover, "bulk_insert", fail)
    for offer in (lambda: send_claim(claim_campaign(campaign.pk)), lambda: send_waiting(campaign.pk, seconds=5)):
        with pytest.raises(DatabaseError):
            offer()
        assert statuses(campaign) == {"queued": 2}
    assert provider.requests == []
    monkeypatch.undo()
    assert_adds_up(campaign)
