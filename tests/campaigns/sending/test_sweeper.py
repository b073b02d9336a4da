"""Once a minute everything is made true again, whatever was lost; and no trouble of one keeps the others from it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from campaigns import gateway_control, importing, lifecycle, receipts
from campaigns.models import Campaign, CampaignStatus, MessageStatus, Purpose, SentMessage
from campaigns.preflight import launch_problems
from campaigns.sending import sweeper
from campaigns.sending.claim import claim_campaign
from campaigns.sending.sweeper import sweep
from campaigns.single import queue_single
from sms_backends import DeliveryReceipt, DeliveryStatus
from tests.campaigns.building import (
    assert_adds_up,
    handed_over,
    launched,
    make_attempt,
    make_campaign,
    make_group,
    make_message,
    number,
    send,
    statuses,
    the_lease_runs_out,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def swept(woken, django_capture_on_commit_callbacks):
    """Sweep, and say which tasks were woken by it."""

    def run() -> list[tuple[object, ...]]:
        woken.clear()
        with django_capture_on_commit_callbacks(execute=True):
            sweep()
        return woken

    return run


def scheduled(name: str, minutes: int) -> Campaign:
    campaign = make_campaign(make_group(name), name=name)
    Campaign.objects.filter(pk=campaign.pk).update(
        status=CampaignStatus.SCHEDULED, scheduled_at=timezone.now() + timedelta(minutes=minutes)
    )
    campaign.include_groups.get().contacts.create(phone_number=number(campaign.pk))
    return campaign


def test_due_campaigns_are_started_and_others_are_not(swept):
    due, later = scheduled("due", -1), scheduled("later", 5)
    assert ("freeze_campaign", due.pk) in swept()
    assert Campaign.objects.get(pk=due.pk).status == CampaignStatus.FREEZING
    assert Campaign.objects.get(pk=later.pk).status == CampaignStatus.SCHEDULED


def test_one_campaign_that_cannot_be_started_keeps_no_other_from_starting(swept, monkeypatch):
    first, second = scheduled("first", -1), scheduled("second", -1)

    def broken_for_one(campaign, *args):
        if campaign.pk == second.pk:  # looked at first
            raise RuntimeError("a bug")
        return launch_problems(campaign, *args)

    monkeypatch.setattr(lifecycle, "launch_problems", broken_for_one)
    swept()
    assert Campaign.objects.get(pk=first.pk).status == CampaignStatus.FREEZING


def test_a_step_that_fails_keeps_no_other_from_being_done(swept, monkeypatch):
    campaign = launched(contacts=1)

    def expire_leases():
        raise RuntimeError("a bug")

    monkeypatch.setattr(sweeper, "expire_leases", expire_leases)
    assert ("send_campaign", campaign.pk) in swept()


def test_waiting_messages_without_a_worker_are_woken(swept, provider):
    campaign = launched(contacts=1)
    assert swept() == [("send_campaign", campaign.pk)] * lifecycle.SENDERS
    claim_campaign(campaign.pk)
    assert swept() == [], "a worker has them"
    the_lease_runs_out()
    assert ("send_campaign", campaign.pk) in swept()
    assert statuses(campaign) == {"queued": 1}
    send(campaign)
    assert_adds_up(campaign)


def test_a_lost_freeze_is_woken(swept):
    campaign = make_campaign(make_group(contacts=1))
    lifecycle.launch(campaign, actor=None)
    assert swept() == [("freeze_campaign", campaign.pk)]


def test_single_messages_are_woken(swept):
    queue_single(number(1), "Hi", purpose=Purpose.QUICK)
    assert swept() == [("send_urgent",)]


def test_nothing_is_woken_for_a_closed_gateway(swept):
    campaign = launched(contacts=1)
    queue_single(number(9), "Hi", purpose=Purpose.QUICK)
    gateway_control.pause_gateway("default", reason="no_funds", text="No money")
    assert swept() == []
    gateway_control.resume_gateway("default", actor=None)
    assert {("send_urgent",), ("send_campaign", campaign.pk)} <= set(swept())


def test_messages_whose_time_has_not_come_wake_nobody(swept):
    launched(contacts=1)
    SentMessage.objects.update(not_before=timezone.now() + timedelta(minutes=5))
    assert swept() == []


def test_a_campaign_with_nothing_left_is_completed(swept):
    campaign = launched(contacts=1)
    handed_over(campaign)
    the_lease_runs_out()
    swept()
    campaign.refresh_from_db()
    assert campaign.status == CampaignStatus.COMPLETED
    assert statuses(campaign) == {"unknown": 1}
    assert_adds_up(campaign)


def test_a_cancellation_that_was_cut_short_is_finished(swept):
    campaign = launched(contacts=2)
    Campaign.objects.update(status=CampaignStatus.CANCELLED)
    swept()
    assert statuses(campaign) == {"cancelled": 2}
    assert_adds_up(campaign)


def test_nobody_waits_for_ever_in_a_completed_campaign(swept, provider):
    campaign = launched(contacts=1)
    Campaign.objects.update(status=CampaignStatus.COMPLETED)
    assert ("send_campaign", campaign.pk) in swept()
    campaign.refresh_from_db()
    assert send(campaign).status == CampaignStatus.COMPLETED
    assert statuses(campaign) == {"sent": 1}
    assert_adds_up(campaign)


def test_nothing_of_a_paused_campaign_is_woken_or_completed(swept):
    campaign = launched(contacts=1)
    lifecycle.pause(campaign, actor=None)
    assert swept() == []
    campaign.refresh_from_db()
    assert campaign.status == CampaignStatus.PAUSED


def test_kept_receipts_are_tried_again(swept, monkeypatch):
    receipts.receive("default", [DeliveryReceipt("id-1", number(1), DeliveryStatus.DELIVERED)])
    message = make_message(status=MessageStatus.SENT, reference="ref-1")
    make_attempt(message, provider_message_id="id-1")
    later = timezone.now() + timedelta(minutes=1)
    monkeypatch.setattr(timezone, "now", lambda: later)
    swept()
    message.refresh_from_db()
    assert message.status == MessageStatus.DELIVERED


def test_imports_without_a_worker_are_woken(swept, monkeypatch):
    monkeypatch.setattr(importing, "stalled_imports", lambda: [(3, "checking"), (4, "importing"), (5, "undoing")])
    assert swept() == [("check_import", 3), ("commit_import", 4), ("undo_import", 5)]


def test_sweeping_when_there_is_nothing_to_do_does_nothing(swept, provider):
    campaign = send(launched(contacts=1))
    assert swept() == []
    assert_adds_up(campaign)
