"""What waits for its hour is said, and what waits in vain is given up."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

import pytest
from django.utils import timezone

from campaigns import lifecycle
from campaigns.models import Campaign, FailureReason, Holiday, MessageStatus, SentMessage
from campaigns.sending import openings
from campaigns.sending.openings import attend_to_openings
from sms_backends import RecipientRejectedError, get_sms_backend
from tests.campaigns.building import (
    assert_adds_up,
    frozen,
    launched,
    make_campaign,
    make_contact,
    make_group,
    message_to,
    number,
    send,
    statuses,
)

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def at_noon(monkeypatch):
    monkeypatch.setattr(timezone, "now", lambda: NOON)


def to_moscow_and_vladivostok(**fields) -> Campaign:
    """A campaign for the day hours: at noon in London it is late in the evening in Vladivostok."""
    group = make_group()
    make_contact(number(1), group, time_zone="Europe/Moscow", region="RU")
    make_contact(number(2), group, time_zone="Asia/Vladivostok", region="RU")
    campaign = make_campaign(group, **{"window_start": time(9), "window_end": time(21), **fields})
    lifecycle.launch(campaign, actor=None)
    return frozen(campaign)


def waits_until(n: int) -> datetime | None:
    return message_to(number(n)).not_before


def test_who_is_outside_the_window_waits_until_it_opens_there(at_noon):
    to_moscow_and_vladivostok()
    attend_to_openings()
    assert waits_until(1) is None
    assert waits_until(2) == datetime(2026, 6, 1, 23, 0, tzinfo=UTC)


def test_a_longer_waiting_time_stays(at_noon):
    to_moscow_and_vladivostok()
    later = NOON + timedelta(days=3)
    SentMessage.objects.update(not_before=later)
    attend_to_openings()
    assert waits_until(2) == later


def test_a_holiday_of_the_country_is_waited_out(at_noon):
    for day in (1, 2):
        Holiday.objects.create(date=datetime(2026, 6, day).date(), country="RU")
    to_moscow_and_vladivostok(skip_holidays=True)
    attend_to_openings()
    assert waits_until(1) == datetime(2026, 6, 3, 6, 0, tzinfo=UTC)


def test_who_cannot_be_written_to_before_the_end_is_given_up_at_once(at_noon):
    campaign = to_moscow_and_vladivostok(ends_at=NOON + timedelta(hours=11))
    attend_to_openings()
    assert statuses(campaign) == {"queued": 1, "failed": 1}
    message = message_to(number(2))
    assert (message.reason, message.not_before) == (FailureReason.TOO_LATE, None)
    assert_adds_up(campaign)


def test_a_window_that_never_opens_keeps_nobody_waiting_for_ever(at_noon):
    campaign = to_moscow_and_vladivostok(window_end=time(9))
    attend_to_openings()
    assert statuses(campaign) == {"failed": 2}
    assert lifecycle.complete_if_done(campaign.pk)


def test_at_the_end_all_that_wait_are_given_up_in_portions_and_the_campaign_completes(monkeypatch):
    monkeypatch.setattr(openings, "CHUNK", 2)
    campaign = launched(contacts=5, ends_at=timezone.now() + timedelta(hours=1))
    Campaign.objects.update(ends_at=timezone.now())
    attend_to_openings()
    assert statuses(campaign) == {"failed": 5}
    assert lifecycle.complete_if_done(campaign.pk)
    assert_adds_up(campaign)


def test_a_round_ends_before_the_task_queue_ends_it(monkeypatch):
    monkeypatch.setattr(openings, "CHUNK", 2)
    monkeypatch.setattr(openings, "ROUND_SECONDS", -1)
    campaign = launched(contacts=5)
    Campaign.objects.update(ends_at=timezone.now())
    attend_to_openings()
    assert statuses(campaign) == {"queued": 5}


def test_a_paused_campaign_is_left_alone_until_it_goes_on(provider):
    campaign = launched(contacts=2)
    lifecycle.pause(campaign, actor=None)
    Campaign.objects.update(ends_at=timezone.now())
    attend_to_openings()
    assert statuses(campaign) == {"queued": 2}
    campaign.refresh_from_db()
    lifecycle.resume(campaign, actor=None)
    assert send(campaign).status == "completed"
    assert statuses(campaign) == {"failed": 2}
    assert provider.requests == []


def test_nothing_is_handed_over_after_the_end_that_passed_since_the_claim(provider):
    campaign = launched(contacts=1)
    Campaign.objects.update(ends_at=timezone.now() - timedelta(seconds=1))
    _claim, intent = handed_over_in_spite(campaign)
    assert intent.messages == []
    assert statuses(campaign) == {"queued": 1}


def handed_over_in_spite(campaign: Campaign):
    """As if the claim had come just before the end."""
    from campaigns.sending.claim import claim_again
    from campaigns.sending.handover import write_intent

    claim = claim_again(SentMessage.objects.values_list("pk", flat=True))
    return claim, write_intent(claim, claim.messages, get_sms_backend())


def test_what_was_refused_and_would_be_tried_again_after_the_end_is_given_up(provider):
    campaign = launched(contacts=1)
    provider.refusals[number(1)] = RecipientRejectedError("Busy", permanent=False)
    provider.during = lambda request: Campaign.objects.update(ends_at=timezone.now() - timedelta(seconds=1))
    send(campaign)
    message = message_to(number(1))
    assert (message.status, message.reason) == (MessageStatus.FAILED, FailureReason.TOO_LATE)
    assert_adds_up(campaign)
