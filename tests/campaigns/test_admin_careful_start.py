"""The careful start and the brakes as operators set them, and what the campaign's page says of them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from campaigns import lifecycle, tasks
from campaigns.models import Attempt, Campaign, CampaignStatus
from sms_backends import DeliveryStatus
from tests.campaigns import providers
from tests.campaigns.building import launched, make_campaign, make_group, report
from tests.campaigns.screens import campaign_url, sign_in_superuser, text_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("woken")]

ADD = "/admin/campaigns/campaign/add/"
FORM = {"name": "Sale", "body": "Hello", "kind": "service", "gateway": "default", "_save": "Save"}


@pytest.fixture(autouse=True)
def signed_in(client, adapter):
    adapter(providers.Reporting)
    return sign_in_superuser(client)


def page_of(client, campaign: Campaign) -> str:
    return text_of(client.get(campaign_url(campaign)))


def test_what_the_form_says_is_kept_and_shown_once_it_runs(client):
    careful = {
        "canary_size": "50",
        "canary_wait_minutes": "15",
        "canary_then": "ask",
        "brake_refused": "10",
        "brake_undelivered": "25",
        "brake_opt_outs": "0",
    }
    client.post(ADD, {**FORM, **careful, "include_groups": [make_group(contacts=1).pk]})
    campaign = Campaign.objects.get()
    assert (campaign.canary_size, campaign.canary_wait_minutes, campaign.canary_then) == (50, 15, "ask")
    assert (campaign.brake_refused, campaign.brake_undelivered, campaign.brake_opt_outs) == (10, 25, 0)
    lifecycle.launch(campaign, actor=None)
    page = page_of(client, campaign)
    assert "First send to only" in page
    assert "once 20 can be judged" in page


@pytest.mark.parametrize("left_empty", [{}, {"canary_size": "", "canary_wait_minutes": "", "brake_refused": ""}])
def test_what_is_left_empty_is_no_portion_and_no_brake(client, left_empty):
    client.post(ADD, {**FORM, **left_empty})
    campaign = Campaign.objects.get()
    assert (campaign.canary_size, campaign.canary_wait_minutes, campaign.canary_then) == (None, 30, "go_on")
    assert campaign.brake_refused is campaign.brake_undelivered is campaign.brake_opt_outs is None


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"canary_size": "50"}, "Nothing would be judged. Give at least one limit, or choose to be asked."),
        ({"canary_size": "0", "brake_refused": "1"}, "greater than or equal to 1"),
        ({"canary_size": "1", "canary_then": "ask", "canary_wait_minutes": "0"}, "greater than or equal to 1"),
        ({"canary_size": "1", "canary_then": "ask", "canary_wait_minutes": "1441"}, "less than or equal to 1440"),
        ({"brake_refused": "100"}, "less than or equal to 99"),
        ({"brake_opt_outs": "-1"}, "greater than or equal to 0"),
    ],
)
def test_a_careful_start_that_would_do_nothing_is_refused(client, fields, words):
    assert words in text_of(client.post(ADD, {**FORM, **fields}))
    assert not Campaign.objects.exists()


def test_the_page_that_sends_says_who_gets_it_first(client):
    group = make_group(contacts=3)
    careful, plain = make_campaign(group, canary_size=2), make_campaign(group, canary_size=3)
    assert "The first 2 get it before all others" in text_of(client.get(campaign_url(careful, "launch")))
    assert "before all others" not in text_of(client.get(campaign_url(plain, "launch")))


def test_the_page_says_who_waits_for_whom_and_until_when(client):
    campaign = launched(5, canary_size=3, brake_refused=10)
    assert "First portion of 3: 3 are still to go. All others wait for them." in page_of(client, campaign)
    tasks.send_campaign(campaign.pk)
    at = timezone.now().replace(year=2099, month=6, day=1, hour=13, minute=50)
    Attempt.objects.update(started_at=at)
    until = timezone.localtime(at + timedelta(minutes=30)).strftime("%H:%M")
    page = page_of(client, campaign)
    assert "First 3 are out; waiting for their receipts until 1 Jun 2099" in page
    assert until in page
    report(DeliveryStatus.DELIVERED, 1, 2, 3)
    lifecycle.pause(campaign, actor=None)
    assert "wait for them" not in page_of(client, campaign), "a paused campaign waits for somebody else"
    lifecycle.resume(campaign, actor=None)
    assert "First 3 are out, and it is known how that went" in page_of(client, campaign)
    tasks.send_campaign(campaign.pk)
    page = page_of(client, campaign)
    assert "wait for them" not in page
    assert "by itself finished the first portion: 3 delivered, 0 not delivered" in page


def test_the_page_says_why_it_was_paused_after_the_first_portion_and_goes_on_with_all(client):
    campaign = launched(5, canary_size=3, brake_undelivered=10)
    tasks.send_campaign(campaign.pk)
    report(DeliveryStatus.UNDELIVERED, 1)
    report(DeliveryStatus.DELIVERED, 2, 3)
    tasks.send_campaign(campaign.pk)
    page = page_of(client, campaign)
    assert "Paused: The first 3 are out. 1 of 3 was not delivered (33.4 %); the limit is 10 %." in page
    assert "Resume to go on with all others, or cancel." in page
    client.post(campaign_url(campaign, "resume"))
    tasks.send_campaign(campaign.pk)
    campaign.refresh_from_db()
    assert campaign.status == CampaignStatus.COMPLETED
