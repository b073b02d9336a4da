"""Who may be sent now, and that nobody is claimed by two workers."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

import pytest
from django.db.models import Q
from django.utils import timezone

from campaigns import gateway_control, lifecycle
from campaigns.models import Campaign, FailureReason, GatewayState, Holiday, MessageStatus, Purpose, SentMessage
from campaigns.sending import claim as claiming
from campaigns.sending.claim import (
    claim_again,
    claim_campaign,
    claim_urgent,
    give_back,
)
from campaigns.sending.leases import LEASE
from campaigns.single import queue_single
from tests.campaigns import providers
from tests.campaigns.building import (
    assert_adds_up,
    frozen,
    launched,
    make_campaign,
    make_contact,
    make_group,
    make_message,
    message_to,
    number,
    send,
    statuses,
)

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)


def test_two_claims_share_the_rows_and_overlap_in_none():
    campaign = launched(contacts=5)
    first, second = claim_campaign(campaign.pk, limit=3), claim_campaign(campaign.pk, limit=3)
    assert [m.phone_number for m in first.messages] == [number(1), number(2), number(3)]
    assert [m.phone_number for m in second.messages] == [number(4), number(5)]
    assert first.token != second.token
    assert claim_campaign(campaign.pk).messages == []
    assert_adds_up(campaign)


def test_a_claimed_row_bears_the_token_and_a_lease():
    campaign = launched(contacts=1)
    claim = claim_campaign(campaign.pk)
    message = message_to(number(1))
    assert (message.status, message.claim_token) == (MessageStatus.CLAIMED, claim.token)
    assert message.lease_expires_at is not None
    assert timedelta(0) < message.lease_expires_at - timezone.now() <= LEASE + timedelta(seconds=5)


def test_rows_whose_waiting_time_is_not_over_are_not_claimed():
    campaign = launched(contacts=2)
    SentMessage.objects.filter(phone_number=number(1)).update(not_before=timezone.now() + timedelta(minutes=1))
    SentMessage.objects.filter(phone_number=number(2)).update(not_before=timezone.now() - timedelta(seconds=1))
    assert [m.phone_number for m in claim_campaign(campaign.pk).messages] == [number(2)]


@pytest.mark.parametrize("stop", [lifecycle.pause, lifecycle.cancel])
def test_a_campaign_that_was_stopped_is_not_claimed(stop):
    campaign = launched(contacts=1)
    stop(campaign, actor=None)
    assert claim_campaign(campaign.pk).messages == []
    assert_adds_up(campaign)


def test_nothing_is_claimed_before_all_rows_are_written():
    campaign = make_campaign(make_group(contacts=1))
    lifecycle.launch(campaign, actor=None)
    make_message(number(9), campaign=campaign)
    assert claim_campaign(campaign.pk).messages == []


def test_a_paused_or_held_gateway_is_not_claimed_for():
    campaign = launched(contacts=1)
    gateway_control.pause_gateway("default", reason="no_funds", text="No money")
    assert claim_campaign(campaign.pk).messages == []
    gateway_control.resume_gateway("default", actor=None)
    GatewayState.objects.update(held_until=timezone.now() + timedelta(seconds=30))
    assert claim_campaign(campaign.pk).messages == []
    GatewayState.objects.update(held_until=timezone.now() - timedelta(seconds=1))
    assert len(claim_campaign(campaign.pk).messages) == 1


def test_single_messages_of_closed_gateways_wait_while_others_are_claimed():
    gateway_control.pause_gateway("backup", reason="no_funds", text="No money")
    for alias in ("default", "backup"):
        queue_single(number(1), "Hi", purpose=Purpose.QUICK, gateway=alias)
    assert [message.gateway for message in claim_urgent().messages] == ["default"]


def test_single_messages_are_not_claimed_with_a_campaign_nor_the_other_way_round():
    campaign = launched(contacts=1)
    queue_single(number(9), "Hi", purpose=Purpose.QUICK)
    assert [m.phone_number for m in claim_campaign(campaign.pk).messages] == [number(1)]
    assert [m.phone_number for m in claim_urgent().messages] == [number(9)]


def test_what_is_given_back_waits_again_and_nothing_else_is():
    campaign = launched(contacts=2)
    claim = claim_campaign(campaign.pk)
    SentMessage.objects.filter(phone_number=number(1)).update(claim_token="somebody else")
    assert give_back(claim) == 1
    assert statuses(campaign) == {"claimed": 1, "queued": 1}
    assert_adds_up(campaign)


def test_of_the_rows_named_only_waiting_ones_are_claimed_again():
    campaign = launched(contacts=3)
    claim_campaign(campaign.pk, limit=1)
    assert len(claim_again(SentMessage.objects.values_list("pk", flat=True)).messages) == 2


# --- windows --------------------------------------------------------------------------------------------------


def test_only_the_zones_where_it_is_too_late_wait(monkeypatch, provider):
    group = make_group()
    make_contact(number(1), group, time_zone="Europe/Moscow")
    make_contact(number(2), group, time_zone="Asia/Vladivostok")
    campaign = make_campaign(group, window_start=time(9), window_end=time(21))
    lifecycle.launch(campaign, actor=None)
    frozen(campaign)
    monkeypatch.setattr(timezone, "now", lambda: NOON)
    assert [m.phone_number for m in claim_campaign(campaign.pk).messages] == [number(1)]


def test_messages_outside_their_window_wait_and_the_campaign_goes_on(monkeypatch, provider):
    group = make_group()
    make_contact(number(1), group, time_zone="Europe/Moscow")
    campaign = make_campaign(group, window_start=time(9), window_end=time(21))
    lifecycle.launch(campaign, actor=None)
    frozen(campaign)
    with monkeypatch.context() as night:
        night.setattr(claiming, "closed_to", lambda *args: Q(time_zone="Europe/Moscow"))
        assert send(campaign).status == "sending"
        assert provider.requests == []
    monkeypatch.setattr(claiming, "closed_to", lambda *args: None)
    assert send(campaign).status == "completed"
    assert_adds_up(campaign)


def test_whose_country_has_a_holiday_waits_while_his_neighbours_are_written_to(monkeypatch, provider):
    group = make_group()
    make_contact(number(1), group, time_zone="Europe/Moscow", region="RU")
    make_contact("+375291234567", group, time_zone="Europe/Moscow", region="BY")
    campaign = make_campaign(group, skip_holidays=True)
    Holiday.objects.create(date=NOON.date(), country="RU")
    lifecycle.launch(campaign, actor=None)
    frozen(campaign)
    monkeypatch.setattr(timezone, "now", lambda: NOON)
    assert [m.phone_number for m in claim_campaign(campaign.pk).messages] == ["+375291234567"]


# --- the end --------------------------------------------------------------------------------------------------


def test_what_still_waits_at_the_end_is_given_up_as_too_late(provider):
    campaign = launched(contacts=3, ends_at=timezone.now() + timedelta(hours=1))
    assert len(claim_campaign(campaign.pk, limit=1).messages) == 1
    Campaign.objects.update(ends_at=timezone.now() - timedelta(seconds=1))
    send(campaign)
    assert provider.requests == []
    failed = SentMessage.objects.filter(status=MessageStatus.FAILED)
    assert {message.reason for message in failed} == {FailureReason.TOO_LATE}
    assert statuses(campaign) == {"claimed": 1, "failed": 2}
    assert_adds_up(campaign)


# --- size -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("recipients", "claimed"), [(2, 4), (5, 5), (100, 5)])
def test_a_claim_makes_whole_requests(provider, monkeypatch, recipients, claimed):
    capabilities = replace(providers.SameText.capabilities, max_recipients=recipients)
    monkeypatch.setattr(providers.SameText, "capabilities", capabilities)
    monkeypatch.setattr(claiming, "BULK_BATCH", 5)
    assert len(claim_campaign(launched(contacts=6).pk).messages) == claimed


def test_where_a_request_takes_one_a_claim_is_smaller(adapter, monkeypatch):
    adapter(providers.OneByOne)
    monkeypatch.setattr(claiming, "BATCH", 2)
    assert len(claim_campaign(launched(contacts=3).pk).messages) == 2
