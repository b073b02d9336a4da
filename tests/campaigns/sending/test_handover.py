"""The gate: between claim and request everything is asked once more."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
from django.utils import timezone

from campaigns import gateway_control, lifecycle, optouts
from campaigns.models import Attempt, GatewayState, MessageStatus, OptOut, OptOutSource, Purpose, SentMessage
from campaigns.sending.claim import claim_campaign, claim_urgent
from campaigns.sending.handover import write_intent
from campaigns.sending.leases import LEASE
from campaigns.single import queue_single
from sms_backends import get_sms_backend
from tests.campaigns.building import assert_adds_up, launched, message_to, number, statuses, the_lease_runs_out

pytestmark = pytest.mark.django_db


@pytest.fixture
def backend(provider):
    return get_sms_backend()


def test_an_intent_is_written_down_before_anything_is_sent(backend, provider):
    campaign = launched(contacts=2)
    claim = claim_campaign(campaign.pk)
    intent = write_intent(claim, claim.messages, backend)
    assert provider.requests == []
    assert statuses(campaign) == {"sending": 2}
    attempts = Attempt.objects.order_by("message")
    assert [attempt.reference for attempt in attempts] == [intent.reference] * 2
    assert [attempt.message_id for attempt in intent.attempts] == [message.pk for message in intent.messages]
    assert all(attempt.outcome == "" and attempt.finished_at is None for attempt in attempts)
    assert_adds_up(campaign)


def test_the_lease_is_renewed_with_the_intent(backend):
    campaign = launched(contacts=1)
    claim = claim_campaign(campaign.pk)
    SentMessage.objects.update(lease_expires_at=timezone.now() + timedelta(seconds=2))
    write_intent(claim, claim.messages, backend)
    expires = message_to(number(1)).lease_expires_at
    assert expires is not None
    assert expires > timezone.now() + LEASE / 2


def test_each_attempt_has_its_number_and_a_reference_of_its_own(backend):
    campaign = launched(contacts=1)
    for _time in range(2):
        claim = claim_campaign(campaign.pk)
        write_intent(claim, claim.messages, backend)
        SentMessage.objects.update(status=MessageStatus.QUEUED)
    attempts = list(Attempt.objects.order_by("number"))
    assert [attempt.number for attempt in attempts] == [1, 2]
    assert attempts[0].reference != attempts[1].reference


@pytest.mark.parametrize("stop", [lifecycle.pause, lifecycle.cancel])
def test_what_was_stopped_after_the_claim_is_not_sent(backend, stop):
    campaign = launched(contacts=2)
    claim = claim_campaign(campaign.pk)
    stop(campaign, actor=None)
    assert write_intent(claim, claim.messages, backend).messages == []
    assert set(statuses(campaign)) <= {"queued", "cancelled"}
    assert not Attempt.objects.exists()
    assert_adds_up(campaign)


def test_a_gateway_that_was_paused_after_the_claim_gets_nothing(backend):
    campaign = launched(contacts=1)
    claim = claim_campaign(campaign.pk)
    gateway_control.pause_gateway("default", reason="no_funds", text="No money")
    assert write_intent(claim, claim.messages, backend).messages == []
    assert statuses(campaign) == {"queued": 1}


def test_a_gateway_that_is_held_since_the_claim_gets_nothing(backend):
    campaign = launched(contacts=1)
    claim = claim_campaign(campaign.pk)
    GatewayState.objects.create(alias="default", held_until=timezone.now() + timedelta(seconds=30))
    assert write_intent(claim, claim.messages, backend).messages == []
    assert statuses(campaign) == {"queued": 1}


def test_whoever_opted_out_after_the_claim_is_suppressed_and_the_others_go(backend):
    campaign = launched(contacts=2)
    claim = claim_campaign(campaign.pk)
    OptOut.objects.create(phone_number=number(1), source=OptOutSource.KEYWORD)  # its own update came too early
    intent = write_intent(claim, claim.messages, backend)
    assert [message.phone_number for message in intent.messages] == [number(2)]
    suppressed = message_to(number(1))
    assert (suppressed.status, suppressed.reason) == (MessageStatus.SUPPRESSED, "opted_out")
    assert (suppressed.claim_token, suppressed.lease_expires_at) == ("", None)
    assert_adds_up(campaign)


def test_recording_an_opt_out_takes_a_claimed_message_away_from_its_worker(backend):
    campaign = launched(contacts=1)
    claim = claim_campaign(campaign.pk)
    optouts.record_opt_out(number(1), source=OptOutSource.KEYWORD)
    assert statuses(campaign) == {"suppressed": 1}
    assert write_intent(claim, claim.messages, backend).messages == []
    assert_adds_up(campaign)


def test_after_its_lease_a_worker_may_not_send(backend):
    campaign = launched(contacts=1)
    claim = claim_campaign(campaign.pk)
    the_lease_runs_out()
    assert write_intent(claim, claim.messages, backend).messages == []
    assert statuses(campaign) == {"queued": 1}


def test_a_row_that_another_worker_has_claimed_meanwhile_is_not_touched(backend):
    campaign = launched(contacts=1)
    slow = claim_campaign(campaign.pk)
    SentMessage.objects.update(status=MessageStatus.QUEUED)
    fast = claim_campaign(campaign.pk)
    assert write_intent(slow, slow.messages, backend).messages == []
    assert message_to(number(1)).claim_token == fast.token
    assert len(write_intent(fast, fast.messages, backend).messages) == 1


def test_a_single_message_needs_no_campaign(backend):
    queue_single(number(1), "Hi", purpose=Purpose.QUICK)
    claim = claim_urgent()
    assert len(write_intent(claim, claim.messages, backend).messages) == 1


def test_an_intent_is_fresh_for_a_few_seconds_by_both_clocks(backend, monkeypatch):
    campaign = launched(contacts=1)
    claim = claim_campaign(campaign.pk)
    intent = write_intent(claim, claim.messages, backend)
    assert intent.is_fresh()
    wall, boot = intent.wall_clock, intent.boot_clock
    for wall_passed, boot_passed, fresh in [(4, 4, True), (6, 0, False), (0, 6, False), (-1, 0, False)]:
        monkeypatch.setattr(time, "time", lambda passed=wall_passed: wall + passed)
        monkeypatch.setattr(time, "clock_gettime", lambda clock, passed=boot_passed: boot + passed)
        assert intent.is_fresh() is fresh
