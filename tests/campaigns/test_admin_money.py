"""What operators see of money, and how they limit what is spent."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse
from django.utils import timezone

from campaigns.models import AuditEvent, Campaign, CampaignStatus, GatewayState, MessageStatus, SentMessage
from tests.campaigns.building import launched, make_campaign, make_group, send, set_prices
from tests.campaigns.screens import campaign_url, said, sign_in, text_of

pytestmark = pytest.mark.django_db

CARDS = "admin:campaigns_gatewaystate_changelist"


def limit_url(alias: str = "default") -> str:
    return reverse("admin:campaigns_gatewaystate_limit", args=[alias])


def state() -> GatewayState:
    return GatewayState.objects.get(alias="default")


# --- before sending -----------------------------------------------------------------------------------------------


def test_the_page_before_sending_says_what_it_costs_and_what_nobody_knows(client):
    sign_in(client, "view_campaign", "launch_campaign")
    campaign = make_campaign(make_group(contacts=3), spend_limit=Decimal(5))
    set_prices(p7="2.5")
    page = text_of(client.get(campaign_url(campaign, "launch")))
    assert "Expected cost 7.50 RUB" in page
    assert "Spend limit 5 RUB" in page
    assert "It pauses when the limit is reached." in page
    set_prices(p44="2")
    page = text_of(client.get(campaign_url(campaign, "launch")))
    assert "have no price 3" in page
    assert "at the highest price 6 RUB" in page


def test_without_prices_the_cost_is_not_known_and_a_limit_stands_in_the_way(client):
    sign_in(client, "view_campaign", "launch_campaign")
    campaign = make_campaign(make_group(contacts=1))
    assert "not known: no prices are entered" in text_of(client.get(campaign_url(campaign, "launch")))
    Campaign.objects.update(spend_limit=5)
    assert "Enter its prices first" in text_of(client.get(campaign_url(campaign, "launch")))


def test_a_campaign_is_written_with_its_limit(client):
    sign_in(client, "view_campaign", "change_campaign")
    campaign = make_campaign(make_group(contacts=1))
    page = client.get(campaign_url(campaign))
    form = page.context["adminform"].form
    fields = {name: form[name].value() or "" for name in form.fields if name not in ("ends_at", "skip_holidays")}
    fields |= {"include_groups": [campaign.include_groups.get().pk], "exclude_groups": [], "window_days": []}
    client.post(campaign_url(campaign), {**fields, "spend_limit": "5000", "_save": "1"})
    campaign.refresh_from_db()
    assert campaign.spend_limit == 5000
    refused = client.post(campaign_url(campaign), {**fields, "spend_limit": "-1", "_save": "1"})
    assert "greater than or equal to 0" in text_of(refused)


@pytest.mark.parametrize("amount", ["much", "-1", "1.005"])
def test_a_campaign_is_written_by_command_with_its_limit(amount):
    make_group(contacts=1)
    set_prices(p7="1")
    command = ["create_campaign", "Sale", "--text", "Hello", "--group", "Everybody", "--spend-limit"]
    call_command(*command, "5000")
    assert Campaign.objects.get().spend_limit == 5000
    with pytest.raises(CommandError, match="no spend limit"):
        call_command(*command, amount)


# --- while it is sent ---------------------------------------------------------------------------------------------


def test_the_page_of_a_campaign_says_what_is_spent_of_how_much(client, provider):
    sign_in(client, "view_campaign")
    set_prices(p7="1000.5")
    campaign = send(launched(contacts=3, spend_limit=Decimal("2500")))
    page = text_of(client.get(campaign_url(campaign)))
    assert "2,001 RUB of 2,500 RUB spent or reserved" in page
    assert "Set the limit" not in page
    Campaign.objects.update(spend_limit=None)
    assert "2,001 RUB spent or reserved" in text_of(client.get(campaign_url(campaign)))
    SentMessage.objects.filter(status=MessageStatus.SENT).update(price=None)
    assert client.get(campaign_url(campaign)).context["progress"].spent == ""
    Campaign.objects.update(spend_limit=2500)
    assert "2 segments without a price are counted" in text_of(client.get(campaign_url(campaign)))


def test_the_limit_of_a_paused_campaign_is_raised_on_its_page(client, provider):
    user = sign_in(client, "view_campaign", "launch_campaign", "control_campaign")
    set_prices(p7="2")
    campaign = send(launched(contacts=3, spend_limit=Decimal(3)))
    assert "Spend limit (RUB): Set the limit" in text_of(client.get(campaign_url(campaign)))
    assert "is set" in said(client.post(campaign_url(campaign, "limit"), {"limit": "6"}))
    client.post(campaign_url(campaign, "resume"))
    assert send(campaign).status == CampaignStatus.COMPLETED
    event = AuditEvent.objects.get(action="spend_limit")
    assert (event.actor, event.details) == (user, {"changes": {"spend limit": ["3.00", "6"]}})
    assert "completed" in said(client.post(campaign_url(campaign, "limit"), {"limit": "9"}))


def test_what_is_no_limit_changes_nothing(client):
    sign_in(client, "view_campaign", "launch_campaign")
    set_prices(p7="2")
    campaign = launched(contacts=1, spend_limit=Decimal(3))
    assert "greater than or equal to 0" in said(client.post(campaign_url(campaign, "limit"), {"limit": "-1"}))
    assert client.get(campaign_url(campaign, "limit")).status_code == 405
    assert Campaign.objects.get().spend_limit == 3


def test_who_may_not_launch_sets_no_limit(client):
    sign_in(client, "view_campaign", "control_campaign")
    set_prices(p7="2")
    campaign = launched(contacts=1, spend_limit=Decimal(3))
    assert client.post(campaign_url(campaign, "limit"), {"limit": "9"}).status_code == 403
    assert Campaign.objects.get().spend_limit == 3


def test_before_it_is_sent_again_it_says_what_is_left_to_spend(client, provider):
    sign_in(client, "view_campaign", "launch_campaign", "resend_campaign")
    set_prices(p7="2")
    campaign = send(launched(contacts=3, spend_limit=Decimal(10)))
    SentMessage.objects.update(status=MessageStatus.UNDELIVERED)
    assert "left of its spend limit: 4 RUB." in text_of(client.get(campaign_url(campaign, "resend")))
    Campaign.objects.update(spend_limit=None)
    assert "spend limit" not in text_of(client.get(campaign_url(campaign, "resend")))


# --- the gateway --------------------------------------------------------------------------------------------------


def test_the_limit_of_a_day_is_set_on_the_card_of_the_gateway(client, provider):
    user = sign_in(client, "view_gatewaystate", "view_gatewayprice", "resume_gateway", "manage_gateway")
    assert "none are entered" in text_of(client.get(reverse(CARDS)))
    assert "Enter its prices first" in said(client.post(limit_url(), {"limit": "5000"}))
    set_prices(p7="2.5")
    assert "is set" in said(client.post(limit_url(), {"limit": "5000"}))
    assert state().daily_spend_limit == 5000
    event = AuditEvent.objects.get(action="gateway_limit")
    assert (event.actor, event.subject, event.details) == (
        user,
        "default",
        {"changes": {"at most each day": [None, "5000"]}},
    )
    send(launched(contacts=2))
    assert "Spent today 5 RUB of 5,000 RUB" in text_of(client.get(reverse(CARDS)))
    client.post(limit_url(), {"limit": ""})
    assert state().daily_spend_limit is None
    assert "greater than or equal to 0" in said(client.post(limit_url(), {"limit": "-1"}))


def test_a_gateway_that_rests_says_so_and_until_when_on_every_page(client, provider):
    sign_in(client, "view_gatewaystate", "view_campaign")
    set_prices(p7="2")
    GatewayState.objects.update(daily_spend_limit=3)
    campaign = send(launched(contacts=3))
    for url in (reverse(CARDS), campaign_url(campaign)):
        page = text_of(client.get(url))
        assert "The spend limit for today" in page
        assert ", 00:00 UTC" in page
    assert "limit reached" in text_of(client.get(reverse(CARDS)))
    GatewayState.objects.update(spent_until=timezone.now() - timedelta(seconds=1))
    assert "The spend limit for today" not in text_of(client.get(campaign_url(campaign)))
    assert "limit reached" not in text_of(client.get(reverse(CARDS)))


def test_a_limit_that_cannot_be_kept_is_named_on_the_card(client):
    sign_in(client, "view_gatewaystate", "resume_gateway", "manage_gateway")
    GatewayState.objects.create(alias="default", daily_spend_limit=3)
    page = text_of(client.get(reverse(CARDS)))
    assert "Enter its prices first, or remove the limit" in page
    assert "Set the limit" in page


def test_who_may_not_control_a_gateway_sets_no_limit(client):
    sign_in(client, "view_gatewaystate", "change_gatewayprice")
    set_prices(p7="2")
    assert client.post(limit_url(), {"limit": "5"}).status_code == 403
    assert "Set the limit" not in text_of(client.get(reverse(CARDS)))
