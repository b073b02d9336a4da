"""The page before sending, the approver's page and the lists behind the figures."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from campaigns import approval, optouts
from campaigns.admin import campaign_approval
from campaigns.forecasting import running
from campaigns.forecasting.foreseen import foresee
from campaigns.models import (
    Approval,
    ApprovalStatus,
    Campaign,
    CampaignStatus,
    Forecast,
    GatewayState,
    OptOut,
    OptOutSource,
    SentMessage,
    SuppressionReason,
    User,
)
from campaigns.sending.freeze import freeze
from tests.campaigns.building import make_campaign, make_contact, make_group, make_user, number, set_prices, there
from tests.campaigns.screens import campaign_url, hidden_fields, said, sign_in, sign_in_superuser, text_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("woken")]


@pytest.fixture
def campaign() -> Campaign:
    group = make_group(contacts=3, first_name="Anna")
    make_contact(number(4), group)
    make_contact("+4915123456789", group, first_name="Jörg")
    set_prices(p7="2.5")
    return make_campaign(group, body="Hello {{ first_name }}", created_by=make_user("writer"))


def test_money_is_shown_by_country_and_unknown_is_unknown(client, campaign):
    sign_in_superuser(client)
    page = text_of(client.get(campaign_url(campaign, "launch")))
    assert "RU 3 3 7.50 RUB" in page
    assert "DE 1 1 not known" in page
    assert "Send 4 messages (4 segments, at most 10 RUB)" in page
    assert "1 GSM-7 4" in page


def test_the_balance_and_what_is_left_of_the_day_are_shown_with_their_time(client, campaign, monkeypatch):
    monkeypatch.setattr("campaigns.balances.tells_balance", lambda _alias: True)
    sign_in_superuser(client)
    GatewayState.objects.update(daily_spend_limit=100)
    assert "Balance being asked for" in text_of(client.get(campaign_url(campaign, "launch")))
    GatewayState.objects.update(
        balance=500, currency="RUB", balance_at=timezone.now(), balance_problem="Wrong password"
    )
    page = text_of(client.get(campaign_url(campaign, "launch")))
    assert "Left of the limit for the day 100 RUB" in page
    assert "Balance 500 RUB" in page
    assert "The provider did not tell it: Wrong password" in page


def test_a_text_is_shown_for_how_long_it_takes(client, campaign):
    GatewayState.objects.update(max_per_second=2)
    sign_in_superuser(client)
    page = text_of(client.get(campaign_url(campaign, "launch")))
    assert "At 2 messages a second. Started now, it is over" in page


def test_what_is_being_counted_is_polled_and_has_no_button(client, campaign, monkeypatch):
    monkeypatch.setattr(running, "AT_ONCE", 0)
    sign_in_superuser(client)
    page = text_of(client.get(campaign_url(campaign, "launch")))
    assert "0 of 5 people are counted" in page
    assert "Send 4" not in page
    assert client.get(campaign_url(campaign, "forecast")).json() == {
        "status": "counting",
        "done": 0,
        "people": 5,
        "words": "0 of 5 people are counted.",
    }
    running.work(there(running.latest(campaign)).pk, seconds=None)
    assert client.get(campaign_url(campaign, "forecast")).json()["status"] == "done"
    Forecast.objects.all().delete()
    assert client.get(campaign_url(campaign, "forecast")).json() == {"status": "gone"}


def test_a_counting_that_failed_says_why(client, campaign, monkeypatch):
    monkeypatch.setattr("campaigns.forecasting.running.count_part", lambda *_arguments: 1 / 0)
    sign_in_superuser(client)
    page = text_of(client.get(campaign_url(campaign, "launch")))
    assert "It could not be counted" in page
    assert "division by zero" in page


def test_it_can_be_counted_anew_by_hand(client, campaign):
    sign_in_superuser(client)
    client.get(campaign_url(campaign, "launch"))
    before = there(running.latest(campaign)).token
    assert client.get(campaign_url(campaign, "recount")).status_code == 405
    client.post(campaign_url(campaign, "recount"))
    assert there(running.latest(campaign)).token != before


def test_figures_counted_anew_since_are_looked_at_again(client, campaign):
    sign_in_superuser(client)
    fields = hidden_fields(client.get(campaign_url(campaign, "launch")))
    set_prices(p7="9")
    client.post(campaign_url(campaign, "recount"))
    response = client.post(campaign_url(campaign, "launch"), fields)
    assert "counted anew after you opened this page" in said(response)
    campaign.refresh_from_db()
    assert campaign.status == CampaignStatus.DRAFT


def test_whoever_opts_out_after_the_look_is_left_out_and_holds_nobody_else_up(client, campaign):
    sign_in_superuser(client)
    fields = hidden_fields(client.get(campaign_url(campaign, "launch")))
    optouts.record_opt_out(number(1), source=OptOutSource.KEYWORD)
    client.post(campaign_url(campaign, "launch"), fields)
    campaign.refresh_from_db()
    assert campaign.status == CampaignStatus.FREEZING
    freeze(campaign.pk, seconds=60)
    rows = SentMessage.objects.filter(campaign=campaign)
    assert [row.phone_number for row in rows.filter(reason=SuppressionReason.OPTED_OUT)] == [number(1)]
    assert rows.filter(status="queued").count() == 3


def test_a_colleagues_look_after_an_opt_out_holds_nobody_up_either(client, campaign):
    sign_in_superuser(client)
    fields = hidden_fields(client.get(campaign_url(campaign, "launch")))
    optouts.record_opt_out(number(1), source=OptOutSource.KEYWORD)
    before = there(running.latest(campaign)).token
    client.get(campaign_url(campaign, "launch"))
    assert there(running.latest(campaign)).token != before
    client.post(campaign_url(campaign, "launch"), fields)
    campaign.refresh_from_db()
    assert campaign.status == CampaignStatus.FREEZING


def test_nothing_is_sent_while_a_colleagues_look_is_still_being_counted(client, campaign, monkeypatch):
    sign_in_superuser(client)
    fields = hidden_fields(client.get(campaign_url(campaign, "launch")))
    monkeypatch.setattr(running, "AT_ONCE", 0)
    running.begin(campaign)
    assert "It is still being counted." in said(client.post(campaign_url(campaign, "launch"), fields))
    campaign.refresh_from_db()
    assert campaign.status == CampaignStatus.DRAFT


def test_an_opt_out_that_was_lifted_after_the_look_is_one_more_than_was_confirmed(client, campaign):
    optouts.record_opt_out(number(1), source=OptOutSource.KEYWORD)
    sign_in_superuser(client)
    fields = hidden_fields(client.get(campaign_url(campaign, "launch")))
    OptOut.objects.all().delete()
    assert "An opt-out was lifted" in said(client.post(campaign_url(campaign, "launch"), fields))
    campaign.refresh_from_db()
    assert campaign.status == CampaignStatus.DRAFT


def test_the_opt_outs_since_a_large_audience_was_counted_are_told(client, campaign, monkeypatch):
    monkeypatch.setattr(running, "AT_ONCE", 0)
    sign_in_superuser(client)
    running.begin(campaign, at_once=True)
    assert "Since the counting" not in text_of(client.get(campaign_url(campaign, "launch")))
    optouts.record_opt_out(number(1), source=OptOutSource.KEYWORD)
    page = text_of(client.get(campaign_url(campaign, "launch")))
    assert "Since the counting began 1 person opted out or wrote what may mean that" in page
    assert "Send 4 messages" in page


def test_those_left_out_are_listed_by_reason_however_far_apart_they_are(client, monkeypatch):
    monkeypatch.setattr(campaign_approval, "CHUNK", 3)
    monkeypatch.setattr(campaign_approval, "LISTED", 2)
    group = make_group(contacts=10, first_name="Anna")
    for n in (20, 21, 22):
        make_contact(number(n), group)
    campaign = make_campaign(group, body="Hello {{ first_name }}")
    sign_in_superuser(client)
    client.get(campaign_url(campaign, "launch"))
    url = f"{campaign_url(campaign, 'left_out')}?reason=missing_value"
    response = client.get(url)
    page = text_of(response)
    assert "3 people are left out for this reason" in page
    assert [str(contact.phone_number.as_e164) for contact, _words in response.context["people"]] == [
        number(20),
        number(21),
    ]
    response = client.get(response.context["further"])
    assert [str(contact.phone_number.as_e164) for contact, _words in response.context["people"]] == [number(22)]
    assert not response.context["further"]
    assert "Nobody is left out for this reason any more" in text_of(
        client.get(url.replace("missing_value", "opted_out"))
    )
    monkeypatch.setattr(campaign_approval, "LOOK_SECONDS", -1)
    response = client.get(f"{url}&after=0")
    assert "None was found so far" in text_of(response)
    assert client.get(f"{campaign_url(campaign, 'left_out')}?reason=nonsense").status_code == 302


def test_numbers_are_hidden_from_those_who_may_not_see_contacts(client, campaign):
    sign_in(client, "view_campaign", "launch_campaign")
    page = text_of(client.get(f"{campaign_url(campaign, 'left_out')}?reason=missing_value"))
    assert number(4) not in page
    assert "0004" in page


@pytest.mark.parametrize("action", ["forecast", "left_out", "recount", "approval", "withdraw", "rehearsal"])
def test_each_page_has_its_permission(client, campaign, action):
    sign_in(client, "view_campaign", "change_campaign", "control_campaign")
    assert client.post(campaign_url(campaign, action)).status_code == 403


# --- approval --------------------------------------------------------------------------------------------------------


@pytest.fixture
def asked(client, campaign, settings) -> Campaign:
    """Somebody asked for approval on the page."""
    settings.SMS_APPROVAL_ABOVE_PEOPLE = 2
    sign_in(client, "view_campaign", "launch_campaign", username="olga")
    fields = hidden_fields(client.get(campaign_url(campaign, "launch")))
    client.post(campaign_url(campaign, "launch"), {**fields, "_ask": "1", "question": "Please"})
    client.logout()
    return campaign


def test_the_approver_reads_decides_and_is_told(client, asked):
    sign_in(client, "view_campaign", "approve_campaign", username="boris")
    assert "to 4 people: olga asked for your approval" in text_of(client.get("/admin/"))
    page = client.get(campaign_url(asked, "approval"))
    assert "Please" in text_of(page)
    assert "Approve 4 messages (4 segments, at most 10 RUB)" in text_of(page)
    fields = hidden_fields(page)
    response = client.post(campaign_url(asked, "approval"), {**fields, "_decline": "1"})
    assert "Say in a word why" in said(response)
    response = client.post(campaign_url(asked, "approval"), {**fields, "_approve": "1", "answer": "Good"})
    assert "is approved" in said(response)
    assert Approval.objects.get().status == ApprovalStatus.APPROVED
    response = client.post(campaign_url(asked, "approval"), {**fields, "_approve": "1"})
    assert "Nothing waits for approval any more" in said(response)


def test_a_page_about_an_earlier_request_decides_nothing(client, asked):
    sign_in(client, "view_campaign", "approve_campaign", username="boris")
    fields = hidden_fields(client.get(campaign_url(asked, "approval")))
    approval.ask(asked, foresee(asked), actor=make_user("eva"), starts_at=None, question="")
    response = client.post(campaign_url(asked, "approval"), {**fields, "_approve": "1"})
    assert "asked for anew" in said(response)
    assert not Approval.objects.filter(status=ApprovalStatus.APPROVED).exists()


def test_a_direct_post_does_not_get_round_the_approval(client, asked):
    sign_in(client, "view_campaign", "launch_campaign", username="vera")
    fields = hidden_fields(client.get(campaign_url(asked, "launch")))
    response = client.post(campaign_url(asked, "launch"), fields)
    assert "waits for approval" in said(response)
    asked.refresh_from_db()
    assert asked.status == CampaignStatus.DRAFT


def test_who_waits_and_who_declined_is_on_the_campaigns_page_and_in_the_list(client, asked):
    sign_in_superuser(client)
    assert "Waiting for approval: olga asked" in text_of(client.get(campaign_url(asked)))
    assert "draft waiting for approval" in text_of(client.get("/admin/campaigns/campaign/"))
    approval.decide(
        there(approval.open_approval(asked)),
        actor=User.objects.get(username="root"),
        is_approved=False,
        answer="Wrong day",
    )
    page = text_of(client.get(campaign_url(asked)))
    assert "Wrong day" in page
    assert "asked for approval" in page  # the trail


def test_whoever_asked_can_take_it_back(client, asked):
    sign_in(client, "view_campaign", "launch_campaign", username="vera")
    client.post(campaign_url(asked, "withdraw"))
    assert approval.open_approval(asked) is None
    response = client.post(campaign_url(asked, "withdraw"))
    assert "Nothing waits" in said(response)


def test_approval_for_a_later_time_is_asked_on_the_page_of_schedules(client, campaign, settings):
    settings.SMS_APPROVAL_ABOVE_PEOPLE = 2
    sign_in(client, "view_campaign", "launch_campaign", username="olga")
    day = (timezone.now() + timedelta(days=2)).date().isoformat()
    at = {"at_0": day, "at_1": "10:00"}
    fields = hidden_fields(client.get(campaign_url(campaign, "schedule")))
    client.post(campaign_url(campaign, "schedule"), {**fields, **at, "_ask": "1"})
    asked = Approval.objects.get()
    assert there(asked.starts_at).isoformat() == f"{day}T10:00:00+00:00"
    boris = make_user("boris")
    boris.is_superuser = True
    boris.save()
    approval.decide(asked, actor=boris, is_approved=True)
    page = client.get(campaign_url(campaign, "schedule"))
    assert "boris approved it" in text_of(page)
    assert f'value="{day}"' in page.content.decode()
    client.post(campaign_url(campaign, "schedule"), {**hidden_fields(page), **at})
    campaign.refresh_from_db()
    assert campaign.status == CampaignStatus.SCHEDULED
