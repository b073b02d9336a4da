"""Workers, the sweeper, receipts, opt-outs and an operator who pauses, all at once on a real database."""

from __future__ import annotations

import random
import time

import pytest

from campaigns import lifecycle, optouts, receipts
from campaigns.models import Campaign, CampaignStatus, MessageStatus, OptOutSource
from campaigns.sending.dispatch import send_waiting
from campaigns.sending.sweeper import sweep
from sms_backends import DeliveryReceipt, DeliveryStatus
from tests.campaigns import providers
from tests.campaigns.building import assert_adds_up, launched, number, send, statuses
from tests.campaigns.crowd import Crowd

PEOPLE = 150


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_nobody_is_texted_twice_or_lost_whoever_does_what_at_the_same_time(adapter, provider, woken):
    adapter(providers.OneByOne)
    provider.during = lambda request: time.sleep(0.01)
    campaign = launched(contacts=PEOPLE)
    dice = random.Random(20)
    opted_out = [number(n) for n in dice.sample(range(1, PEOPLE + 1), 20)]
    waiting_to_opt_out = list(opted_out)

    def pause_and_resume() -> None:
        mine = Campaign.objects.get(pk=campaign.pk)
        try:
            lifecycle.pause(mine, actor=None)
            lifecycle.resume(mine, actor=None)
        except lifecycle.LifecycleError:
            time.sleep(0.01)  # completed meanwhile

    def report_somebody_delivered() -> None:
        if provider.requests:
            request = random.choice(provider.requests)
            receipts.receive(
                "default", [DeliveryReceipt(f"id-{request.reference}", request.numbers[0], DeliveryStatus.DELIVERED)]
            )

    def opt_somebody_out() -> None:
        if waiting_to_opt_out:
            optouts.record_opt_out(waiting_to_opt_out.pop(), source=OptOutSource.KEYWORD)

    crowd = Crowd()
    for _worker in range(3):
        crowd.repeat(lambda: send_waiting(campaign.pk, seconds=0.2))
    for step in (sweep, pause_and_resume, report_somebody_delivered, opt_somebody_out):
        crowd.repeat(step)
    crowd.work_until(lambda: len(provider.requests) > 40 and not waiting_to_opt_out, seconds=60)

    assert crowd.errors == []
    assert len({request.reference for request in provider.requests}) == len(provider.requests) > 20
    campaign.refresh_from_db()
    if campaign.status == CampaignStatus.PAUSED:
        lifecycle.resume(campaign, actor=None)
    send(campaign)
    copies = provider.copies()
    found = statuses(campaign)
    assert set(copies.values()) == {1}
    assert set(found) <= {MessageStatus.SENT, MessageStatus.DELIVERED, MessageStatus.SUPPRESSED}
    assert len(copies) + found[MessageStatus.SUPPRESSED] == PEOPLE
    assert_adds_up(campaign)
