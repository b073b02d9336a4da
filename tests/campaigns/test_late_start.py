"""A scheduled campaign whose time passed while nothing was running."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from campaigns import lifecycle
from campaigns.models import AuditEvent, Campaign, CampaignStatus, LateStart, SentMessage
from tests.campaigns.building import assert_adds_up, frozen, make_campaign, make_group

pytestmark = pytest.mark.django_db


def missed_by(late: timedelta, **fields) -> Campaign:
    campaign = make_campaign(make_group(contacts=2), **fields)
    lifecycle.schedule(campaign, timezone.now() + timedelta(hours=1), actor=None)
    Campaign.objects.update(scheduled_at=timezone.now() - late)
    campaign.refresh_from_db()
    lifecycle.start_due(campaign)
    campaign.refresh_from_db()
    return campaign


def test_it_is_sent_all_the_same_unless_told_otherwise():
    assert missed_by(timedelta(days=2)).status == CampaignStatus.FREEZING


@pytest.mark.parametrize("rule", LateStart)
def test_a_few_minutes_are_not_late(rule):
    assert missed_by(timedelta(minutes=4), late_start=rule).status == CampaignStatus.FREEZING


def test_it_asks_by_waiting_paused_and_starts_when_resumed():
    campaign = missed_by(timedelta(minutes=6), late_start=LateStart.ASK)
    assert (campaign.status, campaign.paused_by_engine) == (CampaignStatus.PAUSED, True)
    assert "should have started" in campaign.pause_reason
    assert not SentMessage.objects.exists()
    lifecycle.resume(campaign, actor=None)
    assert campaign.status == CampaignStatus.FREEZING
    assert_adds_up(frozen(campaign))


@pytest.mark.parametrize("body", ["Hello", "{{ nonsense"])
def test_it_is_skipped_with_the_reason_even_if_it_could_not_have_been_sent(body):
    campaign = make_campaign(make_group(contacts=1), late_start=LateStart.SKIP)
    Campaign.objects.update(
        status=CampaignStatus.SCHEDULED, scheduled_at=timezone.now() - timedelta(minutes=6), body=body
    )
    campaign.refresh_from_db()
    lifecycle.start_due(campaign)
    campaign.refresh_from_db()
    assert campaign.status == CampaignStatus.CANCELLED
    assert campaign.ended_at
    event = AuditEvent.objects.get(action="cancel", campaign=campaign)
    assert event.details["reason"] == campaign.pause_reason != ""
    assert not SentMessage.objects.exists()


def test_a_start_after_the_end_is_refused():
    campaign = make_campaign(make_group(contacts=1), ends_at=timezone.now() + timedelta(hours=1))
    with pytest.raises(lifecycle.LifecycleError, match="after its own end"):
        lifecycle.schedule(campaign, timezone.now() + timedelta(hours=2), actor=None)
    assert Campaign.objects.get().status == CampaignStatus.DRAFT
