"""What an operator should know before sending is said in words, each with what to do."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from campaigns import lifecycle
from campaigns.forecasting.findings import has_opt_out_hint, situation
from campaigns.forecasting.foreseen import foresee
from campaigns.gateway_control import pause_gateway
from campaigns.models import Campaign, Figure, GatewayState, Heartbeat
from campaigns.prices import price_table
from campaigns.reports import WORKER_BEAT
from tests.campaigns.building import make_campaign, make_contact, make_group, number, set_prices

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("woken")]


@pytest.fixture
def campaign() -> Campaign:
    """One with nothing to be said about it."""
    Heartbeat.objects.create(name=WORKER_BEAT, at=timezone.now())
    set_prices(p7="2")
    return make_campaign(make_group(contacts=2))


def said(campaign: Campaign) -> str:
    found = foresee(campaign)
    findings = [*found.findings, *situation(campaign, found.at_most, price_table(campaign.gateway))]
    assert all(finding.todo or finding.url or "Record" in finding.what for finding in findings)
    return " ".join(map(str, findings))


def test_nothing_is_said_where_nothing_is_wrong(campaign):
    assert said(campaign) == ""


def test_advertising_says_how_to_opt_out(campaign):
    Campaign.objects.update(kind="marketing", texts={"de": "Guten Tag. STOPP beendet"})
    campaign.refresh_from_db()
    words = said(campaign)
    assert "The text does not say how to opt out." in words
    assert "German" not in words


@pytest.mark.parametrize(
    "text",
    ["Sale! Reply STOP to opt out", "Скидки. СТОП - отказ", "Sale {{ unsubscribe_link }}", "Soldes. STOP au 36111"],
)
def test_a_hint_is_found_in_any_of_our_languages(text):
    assert has_opt_out_hint(text)


@pytest.mark.parametrize("text", ["Sale until the end of May", "Do not cancel your plans", "{{ broken", "Stopping by?"])
def test_words_that_only_sound_alike_are_no_hint(text):
    assert not has_opt_out_hint(text)


def test_the_same_text_to_the_same_groups_is_asked_about(campaign):
    other = make_campaign(campaign.include_groups.get(), name="First")
    lifecycle.launch(other, actor=None)
    assert "The same text was sent to one of these groups less than an hour ago, as “First”." in said(campaign)
    Campaign.objects.filter(pk=other.pk).update(launched_at=timezone.now() - timedelta(hours=30))
    assert "30 hours ago" in said(campaign)
    Campaign.objects.filter(pk=other.pk).update(launched_at=timezone.now() - timedelta(hours=50))
    assert "The same text" not in said(campaign)


def test_the_same_text_to_other_groups_is_nothing_to_ask_about(campaign):
    lifecycle.launch(other_groups(), actor=None)
    assert "The same text" not in said(campaign)


def other_groups() -> Campaign:
    group = make_group("Others")
    make_contact(number(50), group)
    return make_campaign(group)


def test_a_dead_worker_is_said(campaign):
    Heartbeat.objects.update(at=timezone.now() - timedelta(hours=1))
    assert "No worker is running" in said(campaign)


def test_a_paused_held_or_spent_gateway_is_said(campaign):
    pause_gateway("default", reason="no_funds", text="Top up, please")
    assert "is paused: nothing goes out. Top up, please" in said(campaign)
    GatewayState.objects.update(paused_at=None, held_until=timezone.now() + timedelta(minutes=1))
    assert "could not be reached lately" in said(campaign)
    GatewayState.objects.update(held_until=None, spent_until=timezone.now() + timedelta(hours=1))
    assert "limit for today" in said(campaign)


def test_unknown_prices_are_unknown_and_never_nothing(campaign):
    set_prices()
    assert "so the cost is not known" in said(campaign)
    assert "cost not known" in foresee(campaign).in_words()
    set_prices(p44="1")
    assert "at most 2 RUB" in foresee(campaign).in_words()
    set_prices(p7="2")
    assert foresee(campaign).in_words() == "2 messages (2 segments, about 4 RUB)"


def test_too_little_money_is_said(campaign):
    GatewayState.objects.update(balance=Decimal("3.99"), currency="RUB", balance_at=timezone.now())
    assert "not enough money on the account: 3.99 RUB, and it may cost 4 RUB" in said(campaign)
    GatewayState.objects.update(balance=Decimal(4))
    assert "not enough money" not in said(campaign)
    GatewayState.objects.update(balance=Decimal(1), currency="EUR")  # cannot be compared
    assert "not enough money" not in said(campaign)


def test_what_is_left_of_the_day_counts_and_not_the_whole_limit(campaign):
    GatewayState.objects.update(daily_spend_limit=Decimal(5))
    assert "spent each day" not in said(campaign)
    Figure.objects.create(gateway="default", day=timezone.localdate(), status="sent", messages=1, segments=1, price=2)
    assert "no more than 5 RUB may be spent each day; 3 RUB are left today" in said(campaign)
    Figure.objects.all().delete()


def test_a_sender_that_was_refused_lately_is_said(campaign):
    other = make_campaign(name="Earlier", sender_id="SHOP")
    Figure.objects.create(
        campaign=other, gateway="default", day=timezone.localdate(), status="rejected", reason="sender", messages=3
    )
    assert "refused this sender" not in said(campaign)
    campaign.sender_id = "SHOP"
    assert "3 messages were rejected for it" in said(campaign)
    Figure.objects.all().delete()


def test_missing_values_say_what_to_do(campaign):
    make_contact(number(9), campaign.include_groups.get(), first_name="Anna")
    campaign.body = "Hello {{ first_name }}"
    campaign.save()
    assert "2 people are left out, for want of a value for a placeholder. Write what they get instead" in said(campaign)
