"""Urgent messages overtake bulk, campaigns share the workers, and a stop counts at once, however slow a provider is."""

from __future__ import annotations

import itertools
import time as stdlib_time

import pytest

from campaigns import lifecycle, tasks
from campaigns.models import Campaign, Purpose
from campaigns.sending.claim import claim_campaign
from campaigns.sending.dispatch import send_claim, send_waiting
from campaigns.single import queue_single
from sms_backends import Capabilities
from tests.campaigns import providers
from tests.campaigns.building import (
    assert_adds_up,
    frozen,
    launched,
    make_campaign,
    make_contact,
    make_group,
    number,
    statuses,
)

pytestmark = pytest.mark.django_db


class Slow(providers.OneByOne):
    """One request at a time, each of which takes a while."""

    capabilities = Capabilities(max_connections=1)


@pytest.fixture
def clock(adapter, provider, monkeypatch) -> list[float]:
    """The workers' clock. A request takes 0.4 seconds by it."""
    now = [1000.0]
    monkeypatch.setattr(stdlib_time, "monotonic", lambda: now[0])
    adapter(Slow)
    provider.during = lambda request: now.__setitem__(0, now[0] + 0.4)
    return now


def test_a_single_message_leaves_within_two_seconds_while_a_campaign_is_sent_slowly(clock, provider):
    campaign = launched(contacts=50)
    queued_at: list[float] = []
    one_request = provider.during

    def during(request):
        one_request(request)
        if len(provider.requests) == 4:
            queued_at.append(clock[0])
            queue_single(number(99), "Hi", purpose=Purpose.QUICK)
        if request.numbers == [number(99)]:
            queued_at.append(clock[0])

    provider.during = during
    send_waiting(campaign.pk, seconds=8)
    queued, sent = queued_at
    assert sent - queued <= 2
    assert_adds_up(campaign)


def test_two_campaigns_share_the_workers(clock, provider, woken, monkeypatch, django_capture_on_commit_callbacks):
    monkeypatch.setattr(tasks, "TASK_SECONDS", 2.0)
    one = launched(contacts=30)
    other = make_campaign(make_group("Others"), name="Other", body="Other")
    for n in range(100, 130):
        make_contact(number(n), other.include_groups.get())
    lifecycle.launch(other, actor=None)
    frozen(other)
    queue = [("send_campaign", campaign.pk) for campaign in (one, one, other, other)]
    for _turn in range(12):
        woken.clear()
        name, campaign_id = queue.pop(0)
        with django_capture_on_commit_callbacks(execute=True):
            getattr(tasks, name)(campaign_id)
        queue += woken
        sent = [statuses(campaign)["sent"] for campaign in (one, other)]
        assert abs(sent[0] - sent[1]) <= 12, "two turns of two seconds"
    assert min(sent) > 20
    for campaign in (one, other):
        assert_adds_up(campaign)


@pytest.mark.parametrize(("stop", "left"), [(lifecycle.pause, "queued"), (lifecycle.cancel, "cancelled")])
def test_a_stop_counts_from_the_next_request_on_and_a_worker_that_waits_for_its_moment_sends_nothing(
    adapter, provider, monkeypatch, stop, left
):
    adapter(Slow)
    campaign = launched(contacts=10, max_per_second=10)
    sleeps = itertools.count(1)

    def stopped_while_waiting(seconds: float) -> None:
        if next(sleeps) == 3:
            stop(Campaign.objects.get(pk=campaign.pk), actor=None)

    monkeypatch.setattr(stdlib_time, "monotonic", lambda: 0.0)
    monkeypatch.setattr(stdlib_time, "sleep", stopped_while_waiting)
    send_claim(claim_campaign(campaign.pk))
    assert len(provider.requests) == 3, "one at once, and one after each of the two pauses before the stop"
    assert statuses(campaign) == {"sent": 3, left: 7}
    assert_adds_up(campaign)
