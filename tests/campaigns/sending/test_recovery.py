"""Leases that ran out, and the operator's decision about messages of which nobody knows whether they were taken."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from campaigns import lifecycle, optouts
from campaigns.models import (
    AuditEvent,
    CampaignStatus,
    EventKind,
    GatewayState,
    MessageEvent,
    MessageStatus,
    OptOutSource,
    SentMessage,
)
from campaigns.sending.claim import claim_campaign
from campaigns.sending.leases import LEASE
from campaigns.sending.recovery import cut_leases, expire_leases, leave_unknown, resend_unknown
from sms_backends import OutcomeUnknownError
from tests.campaigns.building import (
    an_hour_passes,
    assert_adds_up,
    handed_over,
    launched,
    make_message,
    make_user,
    message_to,
    number,
    send,
    statuses,
    the_lease_runs_out,
)

pytestmark = pytest.mark.django_db


def with_unknown(provider, contacts: int = 1):
    """A completed campaign whose messages were taken, or not: nobody knows."""
    campaign = launched(contacts=contacts)
    provider.fail_next(OutcomeUnknownError("Time-out"), taken=True)
    send(campaign)
    GatewayState.objects.all().delete()
    assert statuses(campaign) == {"unknown": contacts}
    return campaign


def ids() -> list[int]:
    return list(SentMessage.objects.values_list("pk", flat=True))


def test_a_claimed_message_whose_worker_is_gone_waits_again(provider):
    campaign = launched(contacts=2)
    claim_campaign(campaign.pk)
    assert expire_leases() == (0, 0), "not before its lease is over"
    the_lease_runs_out()
    assert expire_leases() == (2, 0)
    send(campaign)
    assert statuses(campaign) == {"sent": 2}
    assert_adds_up(campaign)


def test_after_the_clock_was_set_back_a_lease_ends_when_it_would_have(provider):
    claim_campaign(launched(contacts=1).pk)
    SentMessage.objects.update(lease_expires_at=timezone.now() + timedelta(hours=1))
    assert cut_leases() == 1
    lease = SentMessage.objects.get().lease_expires_at
    assert lease is not None
    assert lease <= timezone.now() + LEASE
    assert cut_leases() == 0


def test_a_message_whose_worker_is_gone_while_handing_over_is_unknown_and_not_sent_again(provider):
    campaign = launched(contacts=2)
    handed_over(campaign)
    assert expire_leases() == (0, 0)
    the_lease_runs_out()
    assert expire_leases() == (0, 2)
    send(campaign)
    message = message_to(number(1))
    assert provider.requests == []
    assert (message.status, message.reason) == (MessageStatus.UNKNOWN, "worker_lost")
    assert message.events.get().kind == EventKind.UNKNOWN
    assert campaign.status == CampaignStatus.COMPLETED
    assert_adds_up(campaign)


def test_nothing_is_sent_again_before_the_provider_has_settled(provider):
    campaign = with_unknown(provider)
    assert resend_unknown(ids(), actor=None) == 0
    assert statuses(campaign) == {"unknown": 1}
    assert_adds_up(campaign)


def test_a_resend_runs_the_completed_campaign_again_and_sends_once_more(provider, woken):
    campaign = with_unknown(provider)
    assert campaign.status == CampaignStatus.COMPLETED
    an_hour_passes()
    assert resend_unknown(ids(), actor=make_user()) == 1
    campaign.refresh_from_db()
    assert campaign.status == CampaignStatus.SENDING
    assert_adds_up(campaign)
    assert send(campaign).status == CampaignStatus.COMPLETED
    assert statuses(campaign) == {"sent": 1}
    assert MessageEvent.objects.get(kind=EventKind.RESEND).payload == {"by": "olga"}
    assert AuditEvent.objects.get(action="resend_unknown").details == {"messages": 1}
    assert provider.requests[0].reference != provider.requests[1].reference
    assert_adds_up(campaign)


def test_a_resend_of_a_paused_campaign_waits_with_it(provider):
    campaign = launched(contacts=2)
    claim = claim_campaign(campaign.pk, limit=1)
    assert len(claim.messages) == 1
    SentMessage.objects.filter(pk=claim.messages[0].pk).update(status=MessageStatus.SENDING)
    the_lease_runs_out()
    expire_leases()
    lifecycle.pause(campaign, actor=None)
    an_hour_passes()
    assert resend_unknown([claim.messages[0].pk], actor=None) == 1
    send(campaign)
    assert provider.requests == []
    assert statuses(campaign) == {"queued": 2}
    assert_adds_up(campaign)


def test_in_a_cancelled_campaign_an_unknown_message_stays_unknown(provider):
    """`cancelled` would say that it was not sent, and nobody knows that."""
    campaign = launched(contacts=2)
    handed_over(campaign)
    lifecycle.cancel(campaign, actor=None)
    the_lease_runs_out()
    expire_leases()
    an_hour_passes()
    assert resend_unknown(ids(), actor=None) == 0
    assert statuses(campaign) == {"unknown": 2}
    assert_adds_up(campaign)


def test_whoever_has_opted_out_meanwhile_is_left_out_of_a_resend(provider):
    campaign = with_unknown(provider, contacts=2)
    optouts.record_opt_out(number(1), source=OptOutSource.OPERATOR)
    an_hour_passes()
    assert resend_unknown(ids(), actor=None) == 1
    send(campaign)
    assert statuses(campaign) == {"unknown": 1, "sent": 1}
    assert provider.copies()[number(1)] == 1
    assert_adds_up(campaign)


def test_what_an_operator_has_left_is_not_sent_again(provider):
    campaign = with_unknown(provider, contacts=2)
    an_hour_passes()
    left = message_to(number(1))
    assert leave_unknown([left.pk], actor=make_user()) == 1
    assert leave_unknown([left.pk], actor=None) == 1
    assert left.events.filter(kind=EventKind.LEFT).count() == 1
    assert resend_unknown(ids(), actor=None) == 1
    left.refresh_from_db()
    assert left.status == MessageStatus.UNKNOWN
    send(campaign)
    assert provider.copies()[number(1)] == 1
    assert_adds_up(campaign)


def test_only_unknown_messages_are_decided_upon(provider):
    campaign = send(launched(contacts=1))
    assert resend_unknown(ids(), actor=None) == leave_unknown(ids(), actor=None) == 0
    assert not AuditEvent.objects.filter(action__endswith="unknown").exists()
    assert_adds_up(campaign)


def test_two_operators_send_again_once(provider):
    campaign = with_unknown(provider)
    an_hour_passes()
    assert [resend_unknown(ids(), actor=None), resend_unknown(ids(), actor=None)] == [1, 0]
    send(campaign)
    assert len(provider.requests) == 2
    assert_adds_up(campaign)


def test_a_message_of_a_gateway_that_is_gone_can_be_decided_upon(provider):
    make_message(gateway="gone", status=MessageStatus.UNKNOWN, status_at="2026-01-01T00:00Z")
    assert resend_unknown(ids(), actor=None) == 1


def test_a_resend_wakes_the_sweeper(provider, woken, django_capture_on_commit_callbacks):
    with_unknown(provider)
    an_hour_passes()
    with django_capture_on_commit_callbacks(execute=True):
        resend_unknown(ids(), actor=None)
    assert ("sweep",) in woken
